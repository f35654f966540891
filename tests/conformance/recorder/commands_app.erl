%% Commands on applications.
-module(commands_app).
-export([execute/2]).

execute(app_load, #{app := App}) -> app:load(App);
execute(app_unload, #{name := Name}) -> application:unload(Name);
execute(app_start, #{name := Name} = C) -> application:start(Name, type(C));
execute(app_stop, #{name := Name}) -> application:stop(Name);
execute(app_ensure_started, #{name := Name} = C) -> application:ensure_started(Name, type(C));
execute(app_ensure_all_started, #{name := Name} = C) -> application:ensure_all_started(Name, type(C));
execute(app_which, _) -> own(application:which_applications());
execute(app_loaded, _) -> own(application:loaded_applications());
execute(app_get_env, #{name := Name, key := Key, default := Default}) ->
    application:get_env(Name, Key, terms:term(Default));
execute(app_get_env, #{name := Name, key := Key}) -> application:get_env(Name, Key);
execute(app_set_env, #{name := Name, key := Key, value := Value}) ->
    application:set_env(Name, Key, terms:term(Value));
execute(app_unset_env, #{name := Name, key := Key}) -> application:unset_env(Name, Key);
execute(app_get_all_env, #{name := Name}) -> lists:sort(application:get_all_env(Name));
execute(app_get_key, #{name := Name, key := Key}) -> application:get_key(Name, Key);
execute(app_get_application, #{to := To}) -> application:get_application(terms:target(To)).

type(Command) -> maps:get(type, Command, temporary).

%% The applications of the scenario among these.
own(Applications) -> terms:set([element(1, App) || App <- Applications] -- element(3, world:lookup(base))).
