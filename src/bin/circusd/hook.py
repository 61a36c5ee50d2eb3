# Calls a hook written for Circus: sys.argv[1] is module.function, standard input tells the rest.
import importlib, json, os, sys

sys.path.insert(0, os.getcwd())
facts = json.load(sys.stdin)
options = facts["options"]


class Named(object):
    """Offers options as attributes, as Circus's own objects do."""

    def __init__(self, values):
        self.__dict__.update(values)

    def __repr__(self):
        return repr(self.__dict__)


watcher = Named(options)
watcher.name = facts["watcher"]
watcher.env = dict(os.environ)
watcher._options = options
watcher.pids = facts["pids"]
watcher.get_active_processes = lambda: [Named({"pid": pid}) for pid in facts["pids"]]
watcher.processes = dict((pid, Named({"pid": pid})) for pid in facts["pids"])
arbiter = Named({"watchers": [watcher]})
arbiter.get_watcher = lambda name: {watcher.name.lower(): watcher}[name.lower()]
module, _, function = sys.argv[1].rpartition(".")
try:
    hook = getattr(importlib.import_module(module), function)
    kwargs = facts["kwargs"]
    said = hook(watcher=watcher, arbiter=arbiter, hook_name=facts["hook"], **kwargs)
    if facts["hook"] == "extended_stats":
        sys.stdout.flush()
        sys.stdout.write("\n%s\n" % json.dumps(kwargs["stats"], default=str))
        said = True
except BaseException as error:
    import traceback

    traceback.print_exc()
    sys.stderr.flush()
    sys.stdout.flush()
    # What is shown is the last line.
    sys.stderr.write("%s\n" % (str(error) or type(error).__name__))
    sys.stderr.flush()
    os._exit(3)
sys.stdout.flush()
sys.stderr.flush()
os._exit(0 if said else 1)
