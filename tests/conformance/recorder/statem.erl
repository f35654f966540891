%% The programmable state machine, in both callback modes.
-module(statem).
-behaviour(gen_statem).
-export([start_link/1, start_link/2, start/3]).
-export([callback_mode/0, init/1, handle_event/4, terminate/3, code_change/4, '$handle_undefined_function'/2]).

start_link(Spec, Extra) -> start_link(maps:merge(Spec, Extra)).
start_link(Spec) -> start(start_link, Spec, []).

start(How, #{name := Name} = Spec, Options) -> gen_statem:How({local, Name}, ?MODULE, Spec, Options);
start(How, Spec, Options) -> gen_statem:How(?MODULE, Spec, Options).

callback_mode() ->
    Spec = get('$spec'),
    [maps:get(mode, Spec, state_functions) | [state_enter || maps:get(state_enter, Spec, false)]].

init(#{label := Label, state := State} = Spec) ->
    world:'begin'(Label),
    process_flag(trap_exit, maps:get(trap_exit, Spec, false)),
    put('$spec', Spec),
    commands:begin_data(Spec),
    case commands:run(maps:get(init, Spec, [])) of
        none -> {ok, terms:term(State), commands:data()};
        #{cmd := ok} = Command -> {ok, terms:term(State), commands:data(), actions(Command)};
        #{cmd := stop, reason := Reason} -> {stop, terms:term(Reason)};
        Command -> return(Command)
    end.

%% In the mode state_functions, states are functions that nobody has written.
'$handle_undefined_function'(State, [Type, Content, Data]) -> handle_event(Type, Content, State, Data).

handle_event(Type, Content, State, Data) ->
    {Kind, From} = case Type of {call, Caller} -> {call, Caller}; _ -> {Type, undefined} end,
    world:event(event, #{state => State, type => Kind, content => Content}),
    Commands = case terms:program(Content) of none -> rule(State, Kind, Content); Program -> Program end,
    case commands:run(Commands, From, Data) of
        none -> unchanged(Data, commands:data());
        Command -> return(Command)
    end.

unchanged(Data, Data) -> keep_state_and_data;
unchanged(_, Data) -> {keep_state, Data}.

rule(State, Kind, Content) ->
    Is = fun(Field, Value, Rule) ->
        Wanted = maps:get(Field, Rule, '_'),
        Wanted =:= '_' orelse terms:term(Wanted) =:= Value
    end,
    Fits = [Do || #{do := Do} = Rule <- maps:get(rules, get('$spec')),
                  Is(state, State, Rule), Is(type, Kind, Rule), Is(content, Content, Rule)],
    case Fits of [First | _] -> First; [] -> [] end.

terminate(Reason, State, Data) ->
    world:event(terminate, #{reason => Reason, state => State}),
    commands:run(maps:get(terminate, get('$spec'), []), undefined, Data).

code_change(Old, State, Data, Extra) ->
    world:event(code_change, #{old_vsn => Old, extra => Extra}),
    {ok, State, {migrated, Extra, Data}}.

return(#{cmd := next_state, state := State} = C) -> {next_state, terms:term(State), commands:data(), actions(C)};
return(#{cmd := keep_state} = C) -> {keep_state, commands:data(), actions(C)};
return(#{cmd := repeat_state} = C) -> {repeat_state, commands:data(), actions(C)};
return(#{cmd := reply, value := Value} = C) -> {keep_state, commands:data(), [reply(Value) | actions(C)]};
return(#{cmd := reply_data} = C) ->
    {keep_state, commands:data(), [{reply, commands:from(), commands:data()} | actions(C)]};
return(#{cmd := stop, reason := Reason, reply := Value}) ->
    {stop_and_reply, terms:term(Reason), [reply(Value)], commands:data()};
return(Command) -> commands:return(Command).

actions(Command) -> [action(Action) || Action <- maps:get(actions, Command, [])].

action(#{reply := Value}) -> reply(Value);
action(#{reply_to := Name, value := Value}) -> {reply, get({from, Name}), terms:term(Value)};
action(#{next_event := Type} = Action) -> {next_event, terms:term(Type), content(Action)};
action(#{state_timeout := Time} = Action) -> timeout(state_timeout, Time, Action);
action(#{timeout := Time} = Action) -> timeout(timeout, Time, Action);
action(#{generic := Name, time := Time} = Action) -> timeout({timeout, terms:term(Name)}, Time, Action);
action(Plain) -> Plain.

timeout(Kind, cancel, _) -> {Kind, cancel};
timeout(Kind, Time, Action) -> {Kind, Time, content(Action)}.

content(Action) -> terms:term(maps:get(content, Action, undefined)).
reply(Value) -> {reply, commands:from(), terms:term(Value)}.
