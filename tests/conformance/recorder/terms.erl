%% Terms: from a scenario's shapes to Erlang's terms, and back to JSON. A scenario's JSON is read as atoms, numbers, lists
%% and maps.
-module(terms).
-export([term/1, target/1, program/1, tag/1, shape/1, set/1, json/1]).

term(List) when is_list(List) -> [term(Item) || Item <- List];
term(#{tuple := Items}) -> list_to_tuple(term(Items));
term(#{bin := Text}) -> atom_to_binary(Text);
term(#{map := Pairs}) -> maps:from_list([{term(Key), term(Value)} || [Key, Value] <- Pairs]);
term(#{pid := Label}) -> world:pid(Label);
term(#{ref := Name}) -> world:lookup({ref, Name});
term(#{table := Name}) -> world:lookup({table, Name});
term(#{self := true}) -> self();
term(#{do := Commands}) -> {{do}, Commands};
term(Plain) -> Plain.

target(#{name := Name}) -> Name;
target(#{alias := Name}) -> world:lookup({ref, Name});
target(#{} = Shape) -> term(Shape);
target(Label) -> world:pid(Label).

%% The commands of a message that is a program.
program({{do}, Commands}) -> Commands;
program(_) -> none.

%% What selects an `on_info` entry or a `receive`.
tag(Atom) when is_atom(Atom) -> Atom;
tag(Tuple) when tuple_size(Tuple) > 0, is_atom(element(1, Tuple)) -> element(1, Tuple);
tag(_) -> '_'.

shape(Pid) when is_pid(Pid) -> #{pid => world:name(Pid)};
shape(Ref) when is_reference(Ref) ->
    case world:lookup({shown, Ref}) of
        undefined -> #{ref => '?'};
        Shown -> Shown
    end;
shape([alias | Ref]) when is_reference(Ref) -> #{ref => '?'};
shape([{M, F, _, Where} | _]) when is_atom(M), is_atom(F), is_list(Where) -> #{stack => true};
shape([_, _, _ | _] = List) ->
    case io_lib:printable_latin1_list(List) of
        true -> #{str => list_to_atom(List)};
        false -> [shape(Item) || Item <- List]
    end;
shape(List) when is_list(List) -> [shape(Item) || Item <- List];
shape({'$shape', Shape}) -> Shape;
shape({{do}, _}) -> #{do => true};
shape({child, Pid, Id, _, _, _, _, _, _}) -> #{child => [shape(Pid), shape(Id)]};
shape({application, Name, [_ | _]}) -> #{app_spec => Name};
shape({Module, Function, Arguments}) when is_atom(Function), is_list(Arguments) ->
    case lists:member(Module, [gen_server, gen_statem, sys, probe, sup, statem, proc, badstart, undef, app]) of
        true -> #{mfa => [Module, Function]};
        false -> #{tuple => [shape(Module), Function, shape(Arguments)]}
    end;
shape({sys, {Function, _}, Arguments}) when is_list(Arguments) -> #{mfa => [sys, Function]};
shape(Tuple) when is_tuple(Tuple) -> #{tuple => [shape(Item) || Item <- tuple_to_list(Tuple)]};
shape(Map) when is_map(Map) -> #{map => sorted([[shape(Key), shape(Value)] || {Key, Value} <- maps:to_list(Map)])};
shape(Binary) when is_binary(Binary) -> #{bin => binary_to_atom(Binary)};
shape(Node) when Node =:= node() -> node;
shape(Plain) -> Plain.

%% A list whose order does not matter.
set(List) -> {'$shape', #{set => sorted([shape(Item) || Item <- List])}}.

sorted(Shapes) -> [Shape || {_, Shape} <- lists:sort([{lists:flatten(json(Shape)), Shape} || Shape <- Shapes])].

%% Compact JSON with sorted keys. What is no shape is a text that equals nothing.
json(true) -> "true";
json(false) -> "false";
json('') -> "\"\"";
json(Atom) when is_atom(Atom) -> io_lib:format("~p", [atom_to_list(Atom)]);
json(Number) when is_number(Number) -> io_lib:format("~w", [Number]);
json(List) when is_list(List) -> ["[", lists:join(",", [json(Item) || Item <- List]), "]"];
json(Map) when is_map(Map) ->
    ["{", lists:join(",", [[json(Key), ":", json(Value)] || {Key, Value} <- lists:sort(maps:to_list(Map))]), "}"];
json(Other) -> io_lib:format("~p", [lists:flatten(io_lib:format("unknown: ~0p", [Other]))]).
