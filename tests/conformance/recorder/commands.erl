%% Executes command lists inside a process, up to the first return command. Its state data stands in the process
%% dictionary meanwhile.
-module(commands).
-export([begin_data/1, data/0, from/0, run/1, run/3, on_info/2, return/1, outcome/1, obey/1, raise/1]).

-define(RETURNS, [reply, reply_data, reply_last, noreply, stop, ok, ignore, bad_return, error_return, next_state,
                  keep_state, repeat_state, finish]).

begin_data(Spec) -> put('$data', terms:term(maps:get(data, Spec, undefined))).
data() -> get('$data').
from() -> get('$from').

on_info(Message, Spec) ->
    Entries = maps:get(on_info, Spec, #{}),
    maps:get(terms:tag(Message), Entries, maps:get('_', Entries, [])).

run(Commands, From, Data) ->
    put('$from', From),
    put('$data', Data),
    put('$last', undefined),
    run(Commands).

%% The return command that ended the list, or none.
run([]) -> none;
run([#{cmd := Name} = Command | Others]) ->
    case {due(Command), lists:member(Name, ?RETURNS)} of
        {false, _} -> run(Others);
        {true, true} -> Command;
        {true, false} -> logged(Command), run(Others)
    end.

due(#{inc := [Low, High]}) -> Low =< world:number() andalso world:number() =< High;
due(_) -> true.

logged(#{'catch' := true} = Command) -> told(outcome(Command));
logged(Command) ->
    Outcome = obey(Command),
    maps:get(log, Command, false) andalso told(Outcome).

told(Outcome) -> world:event(ret, #{ret => {'$shape', Outcome}}).

%% Execute one command: its result, while exceptions pass.
obey(#{'catch' := true} = Command) -> outcome(Command);
obey(Command) ->
    try execute(Command) of
        Value -> put('$last', Value), #{value => terms:shape(Value)}
    catch
        error:{'$skip', Label} -> put('$last', undefined), #{skip => Label}
    end.

%% Execute one command: its result or its exception.
outcome(Command) ->
    try execute(Command) of
        Value -> #{value => terms:shape(Value)}
    catch
        error:{'$skip', Label} -> #{skip => Label};
        Class:Reason -> #{Class => terms:shape(Reason)}
    end.

%% What a return command is to most callbacks.
return(#{cmd := reply, value := Value} = C) -> then({reply, terms:term(Value), data()}, C);
return(#{cmd := reply_data} = C) -> then({reply, data(), data()}, C);
return(#{cmd := reply_last} = C) -> then({reply, get('$last'), data()}, C);
return(#{cmd := noreply} = C) -> then({noreply, data()}, C);
return(#{cmd := ok} = C) -> then({ok, data()}, C);
return(#{cmd := stop, reason := Reason, reply := Reply}) -> {stop, terms:term(Reason), terms:term(Reply), data()};
return(#{cmd := stop, reason := Reason}) -> {stop, terms:term(Reason), data()};
return(#{cmd := bad_return, value := Value}) -> terms:term(Value);
return(#{cmd := error_return, reason := Reason}) -> {error, terms:term(Reason)};
return(#{cmd := Other}) -> Other.

then(Tuple, #{then := #{timeout := Ms}}) -> erlang:append_element(Tuple, Ms);
then(Tuple, #{then := #{continue := Commands}}) -> erlang:append_element(Tuple, {continue, {{do}, Commands}});
then(Tuple, #{then := hibernate}) -> erlang:append_element(Tuple, hibernate);
then(Tuple, _) -> Tuple.

execute(#{cmd := Name} = C) ->
    case atom_to_list(Name) of
        "ets_" ++ _ -> commands_ets:execute(Name, C);
        "app_" ++ _ -> commands_app:execute(Name, C);
        _ -> execute(Name, C)
    end.

%% --- by itself ---------------------------------------------------------------------------------------------------------

execute(log, #{value := Value}) -> world:event(note, #{value => terms:term(Value)}), ok;
execute(sleep, #{ms := Ms}) -> timer:sleep(Ms);
execute(set_data, #{value := Value}) -> put('$data', terms:term(Value)), ok;
execute(save_from, #{as := As}) -> put({from, As}, from()), ok;
execute(answer, #{as := As, value := Value}) -> gen_server:reply(get({from, As}), terms:term(Value));
execute(raise, C) -> raise(C);
execute(spawn, #{spec := Spec, how := How} = C) ->
    case proc:new(Spec, How) of
        {Pid, Ref} -> {Pid, world:keep(maps:get(ref, C, undefined), Ref)};
        Pid -> Pid
    end;
execute(start, #{spec := Spec} = C) ->
    {_, Before} = process_info(self(), messages),
    {_, Linked} = process_info(self(), links),
    case start(Spec, maps:get(how, C, start_link), maps:get(timeout, C, infinity)) of
        {ok, {Pid, Ref}} when is_reference(Ref) -> {ok, {Pid, world:keep(maps:get(ref, C, undefined), Ref)}};
        {Result, Ref} when is_reference(Ref) -> {Result, world:keep(maps:get(ref, C, undefined), Ref)};
        Result -> without_exit(Result, Before, Linked)
    end;
execute(init_ack, #{value := Value}) -> proc_lib:init_ack(terms:term(Value));

%% --- signals, messages, names, timers ------------------------------------------------------------------------------------

execute(link, C) -> link(to(C));
execute(unlink, C) -> unlink(to(C));
execute(monitor, C) ->
    Options = [{alias, Alias} || #{alias := Alias} <- [C]] ++ [{tag, terms:term(Tag)} || #{tag := Tag} <- [C]],
    world:keep(maps:get(ref, C, undefined), monitor(process, to(C), Options));
execute(demonitor, #{ref := Ref} = C) -> demonitor(world:lookup({ref, Ref}), maps:get(opts, C, []));
execute(alias, C) -> world:keep(maps:get(ref, C, undefined), alias());
execute(unalias, #{ref := Ref}) -> unalias(world:lookup({ref, Ref}));
execute(exit_signal, #{reason := Reason} = C) ->
    case to(C) of
        Name when is_atom(Name) -> exit(whereis(Name), terms:term(Reason));
        Pid -> exit(Pid, terms:term(Reason))
    end;
execute(trap_exit, #{value := Value}) -> process_flag(trap_exit, Value);
execute(send, #{msg := Message} = C) -> to(C) ! terms:term(Message), ok;
execute('receive', #{tag := Tag} = C) -> receive_tagged(Tag, maps:get(timeout, C, infinity));
execute(register, #{name := Name} = C) -> register(Name, to(C));
execute(unregister, #{name := Name}) -> unregister(Name);
execute(whereis, #{name := Name}) -> whereis(Name);
execute(registered, _) -> lists:sort(registered() -- element(2, world:lookup(base)));
execute(is_alive, C) -> is_process_alive(to(C));
execute(info, #{item := Item} = C) ->
    case to(C) of
        Name when is_atom(Name) -> info(Item, whereis(Name));
        Pid -> info(Item, Pid)
    end;
execute(send_after, #{ms := Ms, msg := Message, to := _} = C) ->
    world:keep(maps:get(timer, C, undefined), erlang:send_after(Ms, to(C), terms:term(Message)));
execute(start_timer, #{ms := Ms, msg := Message} = C) ->
    world:keep(maps:get(timer, C, undefined), erlang:start_timer(Ms, to(C), terms:term(Message)));
execute(cancel_timer, #{timer := Timer}) -> left(erlang:cancel_timer(world:lookup({ref, Timer})));
execute(read_timer, #{timer := Timer}) -> left(erlang:read_timer(world:lookup({ref, Timer})));
execute(send_interval, #{ms := Ms, msg := Message, timer := Timer} = C) ->
    {ok, Ref} = timer:send_interval(Ms, to(C), terms:term(Message)),
    ets:insert(world, {{interval, Timer}, Ref}),
    ok;
execute(cancel_interval, #{timer := Timer}) ->
    {ok, cancel} = timer:cancel(world:lookup({interval, Timer})),
    ok;

%% --- behaviours ----------------------------------------------------------------------------------------------------------

execute(call, #{msg := Message} = C) -> gen_server:call(to(C), terms:term(Message), maps:get(timeout, C, 5000));
execute(cast, #{msg := Message} = C) -> gen_server:cast(to(C), terms:term(Message));
execute(server_stop, C) -> gen_server:stop(to(C), reason(C), maps:get(timeout, C, infinity));
execute(send_request, #{msg := Message, as := As} = C) ->
    put({request, As}, gen_server:send_request(to(C), terms:term(Message))),
    ok;
execute(receive_response, #{as := As} = C) ->
    gen_server:receive_response(get({request, As}), maps:get(timeout, C, infinity));
execute(statem_call, #{msg := Message} = C) ->
    gen_statem:call(to(C), terms:term(Message), maps:get(timeout, C, infinity));
execute(statem_cast, #{msg := Message} = C) -> gen_statem:cast(to(C), terms:term(Message));
execute(statem_stop, C) -> gen_statem:stop(to(C), reason(C), maps:get(timeout, C, infinity));
execute(start_child, #{child := Child} = C) -> supervisor:start_child(to(C), sup:child(Child));
execute(start_child, #{args := Args} = C) -> supervisor:start_child(to(C), Args);
execute(terminate_child, C) -> supervisor:terminate_child(to(C), id(C));
execute(restart_child, C) -> supervisor:restart_child(to(C), id(C));
execute(delete_child, C) -> supervisor:delete_child(to(C), id(C));
execute(get_childspec, C) ->
    case supervisor:get_childspec(to(C), id(C)) of
        {ok, #{} = Spec} ->
            Shown = maps:map(fun(_, Value) -> terms:shape(Value) end, maps:remove(start, Spec)),
            {ok, {'$shape', #{childspec => Shown}}};
        Other -> Other
    end;
execute(which_children, C) ->
    case supervisor:which_children(to(C)) of
        Rows when is_list(Rows) -> terms:set(Rows);
        Other -> Other
    end;
execute(count_children, C) ->
    case supervisor:count_children(to(C)) of
        [_ | _] = Counts -> {'$shape', #{counts => maps:from_list(Counts)}};
        Other -> Other
    end;
execute(check_childspecs, #{children := Children, auto_shutdown := Auto}) ->
    supervisor:check_childspecs(sup:children(Children), Auto);
execute(check_childspecs, #{children := Children}) -> supervisor:check_childspecs(sup:children(Children));
execute(sys_get_state, C) -> sys:get_state(to(C), patience(C));
execute(sys_replace_state, #{raise := #{class := _} = Raise} = C) ->
    sys:replace_state(to(C), fun(_) -> raise(Raise) end, patience(C));
execute(sys_replace_state, #{raise := Reason} = C) ->
    sys:replace_state(to(C), fun(_) -> error(terms:term(Reason)) end, patience(C));
execute(sys_replace_state, #{value := Value} = C) ->
    New = terms:term(Value),
    sys:replace_state(to(C), fun(_) -> New end, patience(C));
execute(sys_get_status, C) ->
    {status, _, _, [_, Status | _]} = sys:get_status(to(C), patience(C)),
    {'$shape', #{status => Status}};
execute(sys_suspend, C) -> sys:suspend(to(C), patience(C));
execute(sys_resume, C) -> sys:resume(to(C), patience(C));
execute(sys_terminate, #{reason := Reason} = C) ->
    sys:terminate(to(C), terms:term(Reason), maps:get(timeout, C, infinity));
execute(sys_change_code, #{old_vsn := Old, extra := Extra} = C) ->
    To = to(C),
    sys:change_code(To, module(To), terms:term(Old), terms:term(Extra), patience(C));
execute(node_stop, _) -> init:stop().

%% --- helpers ---------------------------------------------------------------------------------------------------------------

%% The callback module of a behaviour.
module(Name) when is_atom(Name) -> module(whereis(Name));
module(undefined) -> undefined;
module(Pid) ->
    case proc_lib:translate_initial_call(Pid) of
        {supervisor, Module, 1} -> Module;
        {Module, _, _} -> Module
    end.

raise(#{class := exit, reason := Reason}) -> exit(terms:term(Reason));
raise(#{class := error, reason := Reason}) -> error(terms:term(Reason));
raise(#{class := throw, reason := Reason}) -> throw(terms:term(Reason)).

to(#{to := Target}) -> terms:target(Target).
id(#{id := Id}) -> terms:term(Id).
reason(C) -> terms:term(maps:get(reason, C, normal)).
patience(C) -> maps:get(timeout, C, 5000).
left(Ms) when is_integer(Ms) -> {'$shape', #{left => true}};
left(false) -> false.

start(#{kind := server} = Spec, How, Timeout) -> probe:start(How, Spec, [{timeout, Timeout}]);
start(#{kind := statem} = Spec, How, Timeout) -> statem:start(How, Spec, [{timeout, Timeout}]);
start(#{kind := sup} = Spec, start_link, _) -> sup:start_link(Spec);
start(#{kind := proclib} = Spec, How, Timeout) -> proc_lib:How(proc, proclib, [Spec], Timeout).

%% The exit message that a failed start leaves with who traps exits does not count: since OTP 26 there is none.
without_exit({error, _} = Error, Before, Linked) -> forget(Before, Linked), Error;
without_exit(ignore, Before, Linked) -> forget(Before, Linked), ignore;
without_exit(Other, _, _) -> Other.

forget(Before, Linked) ->
    case process_info(self(), trap_exit) of
        {trap_exit, true} ->
            {_, Now} = process_info(self(), links),
            [receive {'EXIT', Pid, _} -> ok end || Pid <- Now -- Linked],
            {_, Messages} = process_info(self(), messages),
            [receive {'EXIT', Pid, _} -> ok end || {'EXIT', Pid, _} <- Messages -- Before];
        _ -> ok
    end.

receive_tagged(Tag, Timeout) ->
    receive
        Message when Message =:= Tag -> Message;
        Message when is_tuple(Message), tuple_size(Message) > 0, element(1, Message) =:= Tag -> Message;
        Message when Tag =:= '_', not is_atom(Message), not is_tuple(Message) -> Message;
        Message when Tag =:= '_', is_tuple(Message), not is_atom(element(1, Message)) -> Message
    after Timeout -> timeout
    end.

info(Item, Pid) ->
    case is_pid(Pid) andalso process_info(Pid, [links, monitors, dictionary, trap_exit, message_queue_len,
                                                registered_name, current_function]) of
        [_ | _] = Facts -> info(Item, Pid, maps:from_list(Facts));
        _ -> undefined
    end.

info(links, _, #{links := Links}) -> terms:set([Pid || Pid <- Links, is_pid(Pid)]);
info(monitors, _, #{monitors := Monitors}) -> terms:set([Watched || {process, Watched} <- Monitors]);
info(ancestors, _, #{dictionary := Dictionary}) -> proplists:get_value('$ancestors', Dictionary);
info(registered_name, _, #{registered_name := []}) -> none;
info(hibernated, _, #{current_function := Function}) -> Function =:= {erlang, hibernate, 3};
info(Item, _, Facts) -> maps:get(Item, Facts).
