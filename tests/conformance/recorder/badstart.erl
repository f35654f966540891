%% A start function that returns or raises whatever its description says.
-module(badstart).
-export([start_link/1, start_link/2]).

start_link(Spec, Extra) -> start_link(maps:merge(Spec, Extra)).

start_link(#{raise := Raise}) -> commands:raise(Raise);
start_link(#{return := Return}) -> terms:term(Return).
