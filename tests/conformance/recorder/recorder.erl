%% Records scenarios: executes the ops of each one by one, and prints a line of JSON for every event and observation.
%% The virtual machine has one scheduler, and its clock is a file that only this process writes.
-module(recorder).
-export([main/1]).

-define(MODULES, [app, application_master, badstart, commands, commands_app, commands_ets, gen_server, gen_statem,
                  proc, probe, rand, statem, sup, supervisor, sys, terms]).
-define(TURNS, 3000).
-define(LOOKS, 5).
%% How often in a row nobody must be found able to run. Once is too few while files are read.

%% `File` holds `{Job, Policy, Ops}` terms. The policy says who is late: plain (nobody), a number (anybody, by chance), or
%% the name of a process.
main([File]) ->
    register(?MODULE, self()),
    {ok, Clock} = file:open(os:getenv("RECORDER_CLOCK"), [raw, binary, read, write]),
    {ok, Jobs} = file:consult(File),
    timer:start(),
    [code:ensure_loaded(Module) || Module <- ?MODULES],
    put(pending, []),
    settle(),
    Base = {processes(), registered(), loaded()},
    put(clock, {Clock, 0}),
    put(base, Base),
    [job(Job, Base) || Job <- Jobs],
    halt().

job({Job, Policy, Ops}, {Processes, _, _}) ->
    world:open(Policy),
    ets:insert(world, {base, get(base)}),
    put(pending, []),
    world:print(#{job => Job}),
    spawn(fun() -> proc:new(#{label => root, trap_exit => true}, spawn) end),
    settle(),
    exits(),
    world:print(#{root => true}),
    [perform(Op, Command) || {Op, Command} <- lists:enumerate(0, Ops)],
    world:print(#{final => final()}),
    world:open(plain),
    clean(Processes),
    advance(10_000_000, 10_000_000).

loaded() -> [Name || {Name, _, _} <- application:loaded_applications()].

perform(_, #{cmd := advance, ms := Ms}) ->
    advance(Ms, 1),
    world:print(#{op => #{exits => exits()}});
perform(Op, Command) ->
    begin_op(Op, Command),
    settle(),
    whereis(kernel_safe_sup) =:= undefined andalso down(),
    Ret = case world:lookup({result, Op}) of
        undefined -> ets:insert(world, {{observed, Op}, true}), #{pending => true};
        Outcome -> Outcome
    end,
    world:print(#{op => #{ret => Ret, exits => exits()}}).

%% The runtime has stopped all applications and is stopping itself; the rest of that takes time.
down() -> world:print(#{node_down => true}), halt().

begin_op(Op, #{in := Label} = Command) ->
    try world:pid(Label) of
        Pid ->
            case is_process_alive(Pid) of
                true -> put(pending, [{Op, Pid} | get(pending)]), Pid ! {{order}, Op, maps:remove(in, Command)};
                false -> ets:insert(world, {{result, Op}, #{died => true}})
            end
    catch error:{'$skip', _} -> ets:insert(world, {{result, Op}, #{skip => Label}})
    end;
begin_op(Op, Command) ->
    Name = list_to_atom(lists:concat(["op:", Op])),
    spawn(fun() ->
        put('$who', Name),
        ets:insert(world, [{{pid, Name}, self()}, {{name, self()}, Name}]),
        proc:client(Op, Command)
    end).

%% --- time and rest ---------------------------------------------------------------------------------------------------

advance(0, _) -> settle();
advance(Ms, Step) ->
    {Clock, Now} = get(clock),
    put(clock, {Clock, Now + Step}),
    ok = file:pwrite(Clock, 0, <<(Now + Step):64/little>>),
    erlang:monotonic_time(),
    erlang:yield(),
    moved() andalso settle(1, 1),
    advance(Ms - Step, Step).

%% Wait until nobody can run any further; who was held back acts then, one at a time.
%% Who never comes to rest ends the virtual machine: that job is not recorded.
settle() -> put(turns, 0), settle(?LOOKS, ?LOOKS).

settle(0, Looks) -> go_on(late(), Looks);
settle(Left, Looks) ->
    put(turns, get(turns) + 1) > ?TURNS andalso halt(),
    erlang:yield(),
    case moved() orelse busy() of
        true -> settle(?LOOKS, ?LOOKS);
        false -> settle(Left - 1, Looks)
    end.

go_on([], _) -> ok;
go_on([Pid | Others], Looks) -> put(late, Others), Pid ! go, settle(Looks, Looks).

moved() -> hear(false) orelse erlang:statistics(total_run_queue_lengths_all) > 0.

busy() -> lists:any(fun(Pid) -> Pid =/= self() andalso not rests(process_info(Pid, status)) end, processes()).

rests({status, Status}) -> Status =:= waiting orelse Status =:= suspended;
rests(undefined) -> true.

hear(Heard) ->
    receive
        {watch, Pid} -> monitor(process, Pid), Pid ! watched, hear(true);
        {late, Pid} -> put(late, late() ++ [Pid]), hear(true);
        {result, Op, Outcome} -> result(Op, Outcome), hear(true);
        {'DOWN', _, process, Pid, Reason} -> down(Pid, Reason), hear(true)
    after 0 -> Heard
    end.

late() -> case get(late) of undefined -> []; Late -> Late end.

result(Op, Outcome) ->
    put(pending, lists:keydelete(Op, 1, get(pending))),
    ets:insert(world, {{result, Op}, Outcome}).

down(Pid, Reason) ->
    put(exits, [[world:name(Pid), terms:shape(Reason)] | exits()]),
    [result(Op, #{died => true}) || {Op, Owner} <- get(pending), Owner =:= Pid].

%% Who has ended since last asked.
exits() -> case erase(exits) of undefined -> []; Exits -> Exits end.

%% --- the end -----------------------------------------------------------------------------------------------------------

final() ->
    {_, Names, _} = get(base),
    Alive = lists:sort([{world:name(Pid), Pid} || Pid <- processes(), labelled(Pid)]),
    Links = [{Name, links(Pid)} || {Name, Pid} <- Alive],
    #{
        alive => [Name || {Name, _} <- Alive],
        links => maps:from_list([Entry || {_, [_ | _]} = Entry <- Links]),
        registered => maps:from_list([{Name, world:name(whereis(Name))} || Name <- registered() -- Names])
    }.

links(Pid) ->
    {links, Linked} = process_info(Pid, links),
    lists:sort([world:name(Other) || Other <- Linked, is_pid(Other), labelled(Other)]).

labelled(Pid) -> lists:member($#, atom_to_list(world:name(Pid))).

clean(Base) ->
    case processes() -- Base of
        [] -> ok;
        Left -> [exit(Pid, kill) || Pid <- Left], settle(), clean(Base)
    end.
