%% Commands on tables.
-module(commands_ets).
-export([execute/2]).

execute(ets_new, #{table := Name} = C) ->
    Options = [maps:get(type, C, set), maps:get(protection, C, protected), {keypos, maps:get(keypos, C, 1)}],
    Named = [named_table || maps:get(named, C, false)],
    Heir = [{heir, terms:target(To), terms:term(Data)} || #{heir := #{to := To, data := Data}} <- [C]],
    world:keep_table(Name, ets:new(Name, Options ++ Named ++ Heir));
execute(ets_insert, C) -> ets:insert(table(C), value(C));
execute(ets_insert_new, C) -> ets:insert_new(table(C), value(C));
execute(ets_lookup, C) -> ets:lookup(table(C), key(C));
execute(ets_member, C) -> ets:member(table(C), key(C));
execute(ets_take, C) -> terms:set(ets:take(table(C), key(C)));
execute(ets_delete, #{key := _} = C) -> ets:delete(table(C), key(C));
execute(ets_delete, C) -> ets:delete(table(C));
execute(ets_delete_object, C) -> ets:delete_object(table(C), value(C));
execute(ets_delete_all, C) -> ets:delete_all_objects(table(C));
execute(ets_lookup_element, #{pos := Position} = C) -> ets:lookup_element(table(C), key(C), Position);
execute(ets_update_counter, #{op := Op, default := Default} = C) ->
    ets:update_counter(table(C), key(C), terms:term(Op), terms:term(Default));
execute(ets_update_counter, #{op := Op} = C) -> ets:update_counter(table(C), key(C), terms:term(Op));
execute(ets_update_element, #{op := Op} = C) -> ets:update_element(table(C), key(C), terms:term(Op));
execute(ets_tab2list, C) ->
    case {ets:tab2list(table(C)), ets:info(table(C), type)} of
        {Objects, ordered_set} -> Objects;
        {Objects, _} -> terms:set(Objects)
    end;
execute(ets_match_object, #{pattern := Pattern} = C) -> terms:set(ets:match_object(table(C), terms:term(Pattern)));
execute(ets_first, C) -> ets:first(table(C));
execute(ets_last, C) -> ets:last(table(C));
execute(ets_next, C) -> ets:next(table(C), key(C));
execute(ets_prev, C) -> ets:prev(table(C), key(C));
execute(ets_info, #{item := Item} = C) -> ets:info(table(C), Item);
execute(ets_rename, #{table := Name, name := New} = C) ->
    Found = ets:rename(table(C), New),
    is_atom(table(C)) andalso world:keep_table(Name, New),
    Found;
execute(ets_whereis, #{name := Name}) ->
    case ets:whereis(Name) of
        undefined -> undefined;
        _ -> {'$shape', #{found => true}}
    end;
execute(ets_give_away, #{to := To, data := Data} = C) ->
    ets:give_away(table(C), terms:target(To), terms:term(Data));
execute(ets_set_heir, #{to := To} = C) ->
    ets:setopts(table(C), {heir, terms:target(To), terms:term(maps:get(data, C, undefined))});
execute(ets_set_heir, C) -> ets:setopts(table(C), {heir, none}).

table(#{table := Name}) -> world:lookup({table, Name}).
key(#{key := Key}) -> terms:term(Key).
value(#{value := Value}) -> terms:term(Value).
