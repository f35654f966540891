%% The supervisor whose flags and children come from a description.
-module(sup).
-behaviour(supervisor).
-export([start_link/1, start_link/2, init/1, children/1, child/1]).

start_link(Spec, Extra) -> start_link(maps:merge(Spec, Extra)).
start_link(#{name := Name} = Spec) -> supervisor:start_link({local, Name}, ?MODULE, Spec);
start_link(Spec) -> supervisor:start_link(?MODULE, Spec).

init(#{label := Label, children := Children} = Spec) ->
    world:'begin'(Label),
    Flags = maps:with([strategy, intensity, period, auto_shutdown], Spec),
    case commands:run(maps:get(init, Spec, [])) of
        none -> {ok, {maps:map(fun(_, Value) -> terms:term(Value) end, Flags), children(Children)}};
        Command -> commands:return(Command)
    end.

children(Children) when is_list(Children) -> [child(Child) || Child <- Children];
children(Other) -> terms:term(Other).

%% A child specification as Erlang takes it, or whatever the scenario gives instead.
child(#{tuple := _} = Shape) -> terms:term(Shape);
child(Child) when is_map(Child) -> maps:map(fun field/2, Child);
child(Other) -> terms:term(Other).

field(start, #{kind := Kind} = Spec) -> {module(Kind), start_link, [Spec]};
field(_, Value) -> terms:term(Value).

module(server) -> probe;
module(Kind) -> Kind.
