%% The programmable server.
-module(probe).
-behaviour(gen_server).
-export([start_link/1, start_link/2, start/3]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, handle_continue/2, terminate/2, code_change/3]).

start_link(Spec, Extra) -> start_link(maps:merge(Spec, Extra)).
start_link(Spec) -> start(start_link, Spec, []).

start(How, #{name := Name} = Spec, Options) -> gen_server:How({local, Name}, ?MODULE, Spec, Options);
start(How, Spec, Options) -> gen_server:How(?MODULE, Spec, Options).

init(#{label := Label} = Spec) ->
    world:'begin'(Label),
    process_flag(trap_exit, maps:get(trap_exit, Spec, false)),
    put('$spec', Spec),
    commands:begin_data(Spec),
    case commands:run(maps:get(init, Spec, [])) of
        none -> {ok, commands:data()};
        #{cmd := stop, reason := Reason} -> {stop, terms:term(Reason)};
        Command -> commands:return(Command)
    end.

handle_call({{do}, Commands}, From, Data) ->
    case run(Commands, From, Data) of
        none -> {reply, ok, commands:data()};
        Command -> commands:return(Command)
    end;
handle_call(Message, _, Data) ->
    world:event(call, #{msg => Message}),
    {reply, Message, Data}.

handle_cast({{do}, Commands}, Data) -> noreply(Commands, Data);
handle_cast(Message, Data) ->
    world:event(cast, #{msg => Message}),
    {noreply, Data}.

handle_info({{do}, Commands}, Data) -> noreply(Commands, Data);
handle_info(Message, Data) ->
    world:event(info, #{msg => Message}),
    noreply(commands:on_info(Message, get('$spec')), Data).

handle_continue({{do}, Commands}, Data) ->
    world:event(continue, #{}),
    noreply(Commands, Data).

terminate(Reason, Data) ->
    world:event(terminate, #{reason => Reason}),
    noreply(maps:get(terminate, get('$spec'), []), Data).

code_change(Old, Data, Extra) ->
    world:event(code_change, #{old_vsn => Old, extra => Extra}),
    case run(maps:get(code_change, get('$spec'), []), undefined, Data) of
        none -> {ok, {migrated, Extra, Data}};
        Command -> commands:return(Command)
    end.

noreply(Commands, Data) ->
    case run(Commands, undefined, Data) of
        none -> {noreply, commands:data()};
        Command -> commands:return(Command)
    end.

run(Commands, From, Data) -> commands:run(Commands, From, Data).
