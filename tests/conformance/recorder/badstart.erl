%% A start function that returns or raises whatever its description says.
-module(badstart).
-export([start_link/1, start_link/2]).

start_link(Spec, Extra) -> start_link(maps:merge(Spec, Extra)).

start_link(#{raise := #{class := Class, reason := Reason}}) -> erlang:raise(Class, terms:term(Reason), []);
start_link(#{return := Return}) -> terms:term(Return).
