%% The workloads on BEAM with one scheduler, on OTP's own gen_server and supervisor.
%% Prints one line of JSON per run, like the Python engines. CPU time, as there.
-module(otp_engine).
-behaviour(gen_server).
-export([main/1, child/1, init/1, handle_call/3, handle_cast/2]).

-define(ENOUGH_MS, 300).

main([Name]) ->
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    Figure = figure(list_to_atom(Name)),
    io:format("{\"workload\": \"~s\", \"figure\": ~s}~n", [Name, Figure]),
    halt(0).

figure(W) when W =:= call; W =:= async_call; W =:= cast; W =:= ring; W =:= fan ->
    number(rate(W, 20000));
figure(start_stop) -> number(typical(fun() -> start_stop(10000) end));
figure(tree1k) -> number(typical(fun() -> tree(1000) end));
figure(tree10k) -> number(typical(fun() -> tree(10000) end));
figure(storm) -> number(typical(fun() -> storm(1000) end));
figure(replaced) -> number(typical(fun() -> replaced(500) end) * 1000 / 500);
figure(memory) -> number(memory(10000));
figure(_) -> "null".

number(Value) -> io_lib:format("~.6f", [float(Value)]).

%% --- measuring -----------------------------------------------------------------------------------------------------

%% Milliseconds of CPU; runtime counts whole ones, so every measured region is long.
cpu_ms() -> element(1, erlang:statistics(runtime)).

timed(Run) ->
    Begun = cpu_ms(),
    Run(),
    cpu_ms() - Begun.

rate(W, Size) ->
    erlang:garbage_collect(),
    Run = prepare(W, Size),
    case timed(Run) of
        Spent when Spent >= ?ENOUGH_MS -> Size * 1000 / Spent;
        Spent -> rate(W, round(Size * min(30, max(2, 1.4 * ?ENOUGH_MS / max(1, Spent)))))
    end.

%% Each run returns its own milliseconds; the mean of enough runs, since one run is a few ticks of the clock.
typical(Run) -> typical(Run, 0, 0).
typical(_, Sum, Count) when Count >= 3, Sum >= ?ENOUGH_MS -> Sum / Count;
typical(Run, Sum, Count) ->
    erlang:garbage_collect(),
    typical(Run, Sum + Run(), Count + 1).

%% --- messages ------------------------------------------------------------------------------------------------------

prepare(W, Size) when W =:= call; W =:= async_call ->
    Server = start(0),
    fun() -> times(Size, fun() -> gen_server:call(Server, x) end) end;
prepare(cast, Size) ->
    Server = start(0),
    fun() -> bursts(Size, fun(Burst) ->
        times(Burst, fun() -> gen_server:cast(Server, x) end),
        gen_server:call(Server, x, infinity)
    end) end;
prepare(ring, Size) ->
    Stations = [start(none) || _ <- lists:seq(1, 1000)],
    [First | Rest] = Stations,
    Me = self(),
    [ok = gen_server:call(A, {next, B, Me}) || {A, B} <- lists:zip(Stations, Rest ++ [First])],
    fun() -> gen_server:cast(First, Size), receive done -> ok end end;
prepare(fan, Size) ->
    Servers = [start(0) || _ <- lists:seq(1, 1000)],
    fun() -> times(Size div 1000, fun() -> ask_all(Servers) end) end.

ask_all(Servers) ->
    Asked = [gen_server:send_request(Server, x) || Server <- Servers],
    [{reply, _} = gen_server:receive_response(Request, infinity) || Request <- Asked].

%% As many casts as in the other engines before each call.
bursts(0, _) -> ok;
bursts(Size, Send) ->
    Burst = min(Size, 100000),
    Send(Burst),
    bursts(Size - Burst, Send).

times(0, _) -> ok;
times(N, Do) -> Do(), times(N - 1, Do).

start(State) ->
    {ok, Pid} = gen_server:start(?MODULE, State, []),
    Pid.

%% --- lives ---------------------------------------------------------------------------------------------------------

start_stop(Size) ->
    timed(fun() ->
        Servers = [start(0) || _ <- lists:seq(1, Size)],
        [gen_server:stop(Server) || Server <- Servers]
    end).

tree(Size) ->
    Begun = cpu_ms(),
    {ok, Top} = supervisor:start_link(?MODULE, {top, Size}),
    Spent = cpu_ms() - Begun,
    close(Top),
    Spent.

storm(Size) ->
    {ok, Top} = supervisor:start_link(?MODULE, {top, Size}),
    Children = [{name(I), whereis(name(I))} || I <- lists:seq(1, Size)],
    Spent = timed(fun() ->
        [exit(Pid, crash) || {_, Pid} <- Children],
        [replacement(Name, Pid) || {Name, Pid} <- Children]
    end),
    close(Top),
    Spent.

replaced(Size) ->
    {ok, Top} = supervisor:start_link(?MODULE, {top, 1}),
    Name = name(1),
    Spent = timed(fun() ->
        times(Size, fun() -> Old = whereis(Name), exit(Old, crash), replacement(Name, Old) end)
    end),
    close(Top),
    Spent.

replacement(Name, Old) ->
    case whereis(Name) of
        New when is_pid(New), New =/= Old -> gen_server:call(Name, x);
        _ -> erlang:yield(), replacement(Name, Old)
    end.

close(Top) ->
    Watch = erlang:monitor(process, Top),
    exit(Top, shutdown),
    receive {'DOWN', Watch, process, Top, _} -> ok end.

memory(Size) ->
    erlang:garbage_collect(),
    Before = erlang:memory(total),
    Servers = [start(0) || _ <- lists:seq(1, Size)],
    gen_server:call(lists:last(Servers), x),
    (erlang:memory(total) - Before) / Size.

%% --- the server and the supervisor ------------------------------------------------------------------------------------

name(I) -> list_to_atom("s" ++ integer_to_list(I)).

child(Name) -> gen_server:start_link({local, Name}, ?MODULE, 0, []).

init({top, Size}) ->
    {ok, {#{strategy => one_for_one, intensity => 1000000000, period => 1},
          [#{id => I, start => {?MODULE, child, [name(I)]}} || I <- lists:seq(1, Size)]}};
init(State) -> {ok, State}.

handle_call({next, Pid, Client}, _, _) -> {reply, ok, {Pid, Client}};
handle_call(_, _, N) -> {reply, N, N + 1}.

handle_cast(0, {_, Client} = State) -> Client ! done, {noreply, State};
handle_cast(Left, {Next, _} = State) -> gen_server:cast(Next, Left - 1), {noreply, State};
handle_cast(_, N) -> {noreply, N + 1}.
