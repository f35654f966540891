%% Plain processes: `proc`, `proclib`, and the clients that execute ops.
-module(proc).
-export([new/2, start_link/1, start_link/2, proclib/1, client/2]).

%% Start a process by spawn, link or monitor; returns once it has logged `init`.
new(Spec, How) ->
    Starter = self(),
    Begin = fun() -> run(Spec, fun() -> Starter ! {begun, self()} end) end,
    {Pid, Found} =
        case How of
            spawn -> New = spawn(Begin), {New, New};
            link -> New = spawn_link(Begin), {New, New};
            monitor -> New = spawn_monitor(Begin), {element(1, New), New}
        end,
    receive {begun, Pid} -> Found end.

start_link(Spec, Extra) -> start_link(maps:merge(Spec, Extra)).

start_link(#{start_info := Info} = Spec) -> {ok, new(Spec, link), terms:term(Info)};
start_link(Spec) -> {ok, new(Spec, link)}.

proclib(Spec) -> run(Spec, fun() -> ok end).

run(#{label := Label} = Spec, Told) ->
    world:'begin'(Label),
    process_flag(trap_exit, maps:get(trap_exit, Spec, false)),
    Told(),
    commands:begin_data(Spec),
    loop(commands:run(maps:get(init, Spec, [])), Spec).

loop(#{cmd := finish}, _) -> ok;
loop(_, Spec) -> receive Message -> loop(take(Message, Spec), Spec) end.

take({{order}, _, #{cmd := finish} = Command}, _) -> Command;
take({{order}, Op, Command}, _) -> finish(Op, commands:obey(Command));
take({{do}, Commands}, _) -> commands:run(Commands);
take(Message, Spec) ->
    world:event(info, #{msg => Message}),
    commands:run(commands:on_info(Message, Spec)).

%% The process that executes an op and ends.
client(Op, Command) -> finish(Op, commands:outcome(Command)).

finish(Op, Outcome) ->
    case world:lookup({observed, Op}) of
        true -> world:event(list_to_atom(lists:concat(["op:", Op])), return, #{ret => {'$shape', Outcome}});
        undefined -> recorder ! {result, Op, Outcome}
    end.
