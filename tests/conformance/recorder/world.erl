%% What one scenario knows while it is recorded: labels, references, who acts late. Events are printed at once, so that
%% nothing is lost when the node goes down: to the standard error, where Erlang writes what may not wait.
-module(world).
-export([open/1, 'begin'/1, who/0, number/0, pid/1, name/1, keep/2, keep_table/2, lookup/1, event/2, event/3, print/1]).

open(Policy) ->
    catch ets:delete(?MODULE),
    ets:new(?MODULE, [named_table, public]),
    ets:insert(?MODULE, [{policy, Policy}, {seed, rand:seed_s(exsss, erlang:phash2(Policy))}]).

%% A labelled process begins to run: it takes its next incarnation number, is watched, and logs `init`.
'begin'(Label) ->
    Known = lookup({name, self()}),  % a supervisor runs its init again when its code changes
    Number = ets:update_counter(?MODULE, {count, Label}, 1, {{count, Label}, 0}),
    Name = list_to_atom(lists:concat([Label, "#", Number])),
    put('$who', Name),
    put('$number', Number),
    ets:insert(?MODULE, [{{pid, Label}, self()}, {{pid, Name}, self()}, {{name, self()}, Name}]),
    Known =:= undefined andalso begin recorder ! {watch, self()}, receive watched -> ok end end,
    event(init, #{}).

who() -> get('$who').
number() -> case get('$number') of undefined -> 1; Number -> Number end.

%% The process of a label or of one of its incarnations.
pid(Label) ->
    case lookup({pid, Label}) of
        undefined -> error({'$skip', Label});
        Pid -> Pid
    end.

name(Pid) ->
    case lookup({name, Pid}) of
        undefined -> other;
        Name -> Name
    end.

%% Give a reference the name that the scenario has for it.
keep(undefined, Ref) -> Ref;
keep(Name, Ref) -> ets:insert(?MODULE, [{{ref, Name}, Ref}, {{shown, Ref}, #{ref => Name}}]), Ref.

keep_table(Name, Table) ->
    ets:insert(?MODULE, [{{table, Name}, Table} | [{{shown, Table}, #{table => Name}} || is_reference(Table)]]),
    Table.

lookup(Key) ->
    case ets:lookup(?MODULE, Key) of
        [{_, Value}] -> Value;
        [] -> undefined
    end.

event(Kind, Fields) -> event(who(), Kind, Fields).

event(Who, Kind, Fields) ->
    late(Who),
    print(maps:map(fun(_, Value) -> terms:shape(Value) end, Fields#{p => Who, ev => Kind})).

print(Shape) -> erlang:display_string(lists:flatten(["@", terms:json(Shape), "\n"])).

%% Before each of its events a process may have to wait until all others have come to rest.
late(Who) ->
    case is_late(lookup(policy), Who) of
        true -> recorder ! {late, self()}, receive go -> ok end;
        false -> ok
    end.

is_late(plain, _) -> false;
is_late(Number, _) when is_integer(Number) ->
    {Chance, Seed} = rand:uniform_s(lookup(seed)),
    ets:insert(?MODULE, {seed, Seed}),
    Chance < 0.4;
is_late(Name, Who) -> Name =:= Who.
