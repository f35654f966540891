"""The table of verbs of ``%sandbox``: each says once what it takes. Parsing, help and completion read it."""

from __future__ import annotations

from .grammar import Argument, Kind, Naming, Option, Verb

_TARGET = Argument("TARGET", Kind.PROCESS, "a registered name, a path in the tree (shop/front) or a pid (<0.7.0>)")
_REQUEST = Argument("REQUEST", Kind.EXPRESSION, "a Python expression, evaluated in the notebook")
_SUPERVISOR = Argument("SUPERVISOR", Kind.PROCESS, "a supervisor: name, path or pid")
_CHILD = Argument("CHILD", Kind.WORD, "the id of one of its children")
_TIMEOUT = Option("timeout", Kind.NUMBER, "how long to wait (default 5000)", "MS", least=0)
_MODULE = Argument("MODULE", Kind.MODULE, "the name under which the cell can be imported in the sandbox")
_LIMITS = (
    Option("max-processes", Kind.NUMBER, "processes at one time (default 100)", "N"),
    Option("max-memory", Kind.SIZE, "bytes above the empty sandbox, such as 50MB (default 50MB)", "SIZE"),
    Option("max-runtime", Kind.NUMBER, "milliseconds the sandbox may live (default 300000)", "MS"),
    Option("max-mailbox", Kind.NUMBER, "messages waiting at one process (default 10000)", "N"),
    Option("max-message", Kind.SIZE, "bytes of one message from or to the notebook (default 1MB)", "SIZE"),
    Option("max-output", Kind.SIZE, "bytes that may be printed (default 1MB)", "SIZE"),
    Option("handler-budget", Kind.NUMBER, "milliseconds one callback may run (default 5000)", "MS"),
)

LIFE = (
    Verb("create", "life", "make an empty sandbox", "create shop --max-processes 20", (), (
        *_LIMITS,
        Option("seed", Kind.NUMBER, "start of all randomness inside (default: chosen)", "N", least=0),
        Option("clock", Kind.CHOICE, "real, or virtual: time jumps to the next timer", "CLOCK", ("real", "virtual")),
        Option("isolation", Kind.CHOICE, "copy or share messages between processes", "HOW", ("copy", "share")),
        Option("flavour", Kind.CHOICE, "what it has imported already: plain, or sci: numpy and pandas", "NAME",
               ("plain", "sci")),
        Option("preimport", Kind.WORD, "modules that it has imported already, such as json,decimal", "MODULES",
               repeat=True),
        Option("profile", Kind.CHOICE, "protection from its code (default: the best there is)", "NAME",
               ("strict", "standard", "basic", "off")),
        Option("net", Kind.FLAG, "let it connect to the network (profile standard)"),
        Option("ports", Kind.WORD, "let it connect, but over TCP to these ports only, such as 443,8080 (profile "
               "standard)", "PORTS", repeat=True),
        Option("subprocess", Kind.FLAG, "let it start programs (profile standard)"),
        Option("read", Kind.PATH, "a file or folder that it may read (profile standard)", "PATH", repeat=True),
        Option("write", Kind.PATH, "a file or folder that it may change (profile standard)", "PATH", repeat=True),
    ), Naming.NEW),
    Verb("start", "life", "start a supervisor, application or server", "start shop counter.Shop", (
        Argument("MAIN", Kind.MAIN, "module.Class, or the module alone when it has one; left out: as last time", False),
        Argument("ARGS", Kind.EXPRESSIONS, "arguments of its init, as Python expressions with commas", False),
    )),
    Verb("stop", "life", "stop what was started, in order; the sandbox stays", "stop shop"),
    Verb("restart", "life", "begin again in a fresh OS process, with the same code", "restart shop"),
    Verb("destroy", "life", "end the sandbox and forget it, snapshots too", "destroy shop"),
    Verb("list", "life", "all sandboxes with status, protection and limits in use", "list", naming=Naming.NONE),
    Verb("info", "life", "everything about one sandbox, and what its protection does not stop", "info shop"),
    Verb("limits", "life", "show the limits, or change some", "limits shop --max-memory 80MB", (), _LIMITS),
)  # fmt: skip

CODE = (
    Verb("module", "code", "compile the cell and load it; running processes go on in the new code",
         "module shop counter", (_MODULE,), naming=Naming.EITHER, cell=True),
    Verb("exec", "code", "run the cell inside the sandbox and show its last value, or the picture it draws of itself",
         "exec shop", (), (
        Option("out", Kind.WORD, "also store the value under this name in the notebook", "NAME"),
    ), cell=True),
    Verb("load", "code", "load files, a folder, compiled files or a git repository", "load shop ./my_package", (
        Argument("SOURCE", Kind.PATH, "a path, a .pyc, .whl or .zip file, a git URL, or a variable that holds a "
                 "map of file name to text"),
    ), (
        Option("commit", Kind.WORD, "full commit id; needed for git", "ID"),
        Option("subfolder", Kind.WORD, "the part of the repository to load", "PATH"),
        Option("private-hosts", Kind.FLAG, "the repository may be on this machine or in the local network"),
    ), naming=Naming.EITHER),
    Verb("versions", "code", "current and old version of every module", "versions shop"),
)  # fmt: skip

PROCESSES = (
    Verb("call", "processes", "ask a server and show its reply", 'call shop front ("add", 2)',
         (_TARGET, _REQUEST), (_TIMEOUT,)),
    Verb("cast", "processes", "tell a server, without waiting", 'cast shop front "reset"', (_TARGET, _REQUEST)),
    Verb("send", "processes", "put a plain message in a mailbox", 'send shop front ("tick", 1)', (_TARGET, _REQUEST)),
    Verb("spawn", "processes", "start a process outside any tree", "spawn shop counter.Counter 0", (
        Argument("FUNCTION", Kind.MAIN, "module.function or module.Class"),
        Argument("ARGS", Kind.EXPRESSIONS, "its arguments, as Python expressions with commas", False),
    ), (Option("name", Kind.WORD, "register the process under this name", "NAME"),)),
    Verb("kill", "processes", "end a process; its supervisor decides what follows", "kill shop front", (_TARGET,), (
        Option("reason", Kind.WORD, "the exit reason (default kill, which cannot be trapped)", "TEXT"),
    )),
    Verb("suspend", "processes", "let a process handle system messages only", "suspend shop front", (_TARGET,)),
    Verb("unsuspend", "processes", "let a suspended process go on", "unsuspend shop front", (_TARGET,)),
    Verb("state", "processes", "show the state of a process", "state shop front", (_TARGET,)),
    Verb("set-state", "processes", "replace the state of a process", "set-state shop front 42", (
        _TARGET, Argument("STATE", Kind.EXPRESSION, "the new state, a Python expression"),
    )),
    Verb("children", "processes", "the children of a supervisor", "children shop shop", (_SUPERVISOR,)),
    Verb("restart-child", "processes", "start a stopped child again", "restart-child shop shop front",
         (_SUPERVISOR, _CHILD)),
    Verb("terminate-child", "processes", "stop a child and keep its entry", "terminate-child shop shop front",
         (_SUPERVISOR, _CHILD)),
)  # fmt: skip

LOOKING = (
    Verb("tree", "looking", "the supervision tree, live", "tree shop", (), (
        Option("static", Kind.FLAG, "a picture that does not follow the sandbox"),
    )),
    Verb("ps", "looking", "all processes as a table, or one in detail", "ps shop front", (
        Argument("TARGET", Kind.PROCESS, "the process to look into", False),
    )),
    Verb("events", "looking", "what happened, newest first", "events shop front --limit 20", (
        Argument("TARGET", Kind.PROCESS, "events of this process only", False),
    ), (
        Option("limit", Kind.NUMBER, "how many (default 50)", "N"),
        Option("kind", Kind.WORD, "only this kind; may be repeated", "KIND", repeat=True),
    )),
    Verb("why", "looking", "why a process exited or was restarted", "why shop front", (_TARGET,), (
        Option("limit", Kind.NUMBER, "how many, newest first (default 1)", "N"),
    )),
    Verb("waits", "looking", "who waits for whom, since when on the sandbox's clock (t), and who blocks each other",
         "waits shop"),
    Verb("metrics", "looking", "counters of the sandbox", "metrics shop"),
    Verb("log", "looking", "the latest log lines and what was printed", "log shop", (), (
        Option("limit", Kind.NUMBER, "how many (default 50)", "N"),
    )),
)  # fmt: skip

_CONDITIONS = (
    Option("process", Kind.PROCESS, "a step of this process", "TARGET"),
    Option("kind", Kind.CHOICE, "a step of this kind", "KIND",
           ("call", "cast", "info", "exit", "down", "timeout", "resume", "start", "system")),
    Option("contains", Kind.WORD, "a step whose message contains this text", "TEXT"),
    Option("step", Kind.NUMBER, "the step with this number", "N"),
    Option("max-steps", Kind.NUMBER, "give up after so many (default 10000)", "N"),
)  # fmt: skip
_COUNT = Argument("COUNT", Kind.NUMBER, "how many steps (default 1)", False)

STEPPING = (
    Verb("pause", "stepping", "stop after the current step; the clock of the sandbox stands still", "pause shop"),
    Verb("resume", "stepping", "run on", "resume shop"),
    Verb("step", "stepping", "take steps while paused, each told on one line", "step shop 3", (_COUNT,)),
    Verb("back", "stepping", "go back to the state some steps ago", "back shop", (_COUNT,)),
    Verb("until", "stepping", "take steps until one fits", "until shop --process front --kind call", (), _CONDITIONS),
)

SNAPSHOTS = (
    Verb("snapshot", "snapshots", "save the state of all processes", "snapshot shop before", (
        Argument("SNAPSHOT", Kind.WORD, "its name (default: snapshot-1, snapshot-2, …)", False),
    )),
    Verb("snapshots", "snapshots", "the saved snapshots", "snapshots shop", naming=Naming.EITHER),
    Verb("restore", "snapshots", "go back to a snapshot", "restore shop before", (
        Argument("SNAPSHOT", Kind.SNAPSHOT, "the name it was saved under"),
    )),
)  # fmt: skip

HELP = (
    Verb("help", "help", "this list, or one verb in detail", "help call", (
        Argument("VERB", Kind.VERB, "the verb to explain", False),
    ), naming=Naming.NONE),
)  # fmt: skip

VERBS: dict[str, Verb] = {
    verb.name: verb for verb in (*LIFE, *CODE, *PROCESSES, *LOOKING, *STEPPING, *SNAPSHOTS, *HELP)
}

GROUPS: dict[str, str] = {
    "life": "Life of a sandbox",
    "code": "Code",
    "processes": "Acting on processes",
    "looking": "Looking",
    "stepping": "Stepping",
    "snapshots": "Snapshots",
    "help": "Help",
}
