%% The application whose supervisor comes from a description.
-module(app).
-behaviour(application).
-export([load/1, start/2, start_phase/3, prep_stop/1, stop/1]).

load(#{name := Name} = App) ->
    Mod = [{mod, {?MODULE, App}} || not maps:get(library, App, false)],
    Phases = [{start_phases, [{Phase, terms:term(Args)} || [Phase, Args] <- Given]} || #{start_phases := Given} <- [App]],
    application:load(
        {application, Name,
            [
                {registered, maps:get(registered, App, [])},
                {applications, [kernel, stdlib | maps:get(applications, App, [])]},
                {env, [{Key, terms:term(Value)} || [Key, Value] <- maps:get(env, App, [])]}
            ] ++ Mod ++ Phases}
    ).

start(Type, #{name := Name} = App) ->
    event(Name, app_start, #{type => Type}),
    put('$who', list_to_atom("app:" ++ atom_to_list(Name))),
    case commands:run(maps:get(start, App, [])) of
        none -> sup:start_link(maps:get(top, App));
        #{cmd := bad_return, value := Value} -> terms:term(Value);
        #{cmd := Other} -> Other
    end.

start_phase(Phase, Type, Args) ->
    event(app_start_phase, #{phase => Phase, type => Type, args => Args}),
    case Args of
        {fail, Reason} -> {error, Reason};
        _ -> ok
    end.

prep_stop(State) -> event(app_prep_stop, #{}), State.

stop(_) -> event(app_stop, #{}).

event(Kind, Fields) -> {ok, Name} = application:get_application(), event(Name, Kind, Fields).
event(Name, Kind, Fields) -> world:event(list_to_atom("app:" ++ atom_to_list(Name)), Kind, Fields).
