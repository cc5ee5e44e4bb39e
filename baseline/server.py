"""Runs one benchmark at a time in PyTorch, as it is told.

Requests come on file descriptor 3 and answers leave on 4, one JSON object a
line; tensors pass in shared memory, inputs on 5 and outputs on 6. Standard
output stays free for whatever libraries print. The thread counts of OpenMP,
OpenBLAS and MKL are in the environment already: they are read at import.
"""

import sys

sys.path = [folder for folder in sys.path if folder]  # no torch.py of the current folder

import gc
import json
import os
import platform
import time

REQUESTS, ANSWERS, INPUTS, OUTPUTS = 3, 4, 5, 6
MINIMAL_BLOCK = 1_000_000  # nanoseconds: shorter calls are timed several at once
MINIMAL_RATE = 4.0  # GFLOP/s of a library that is not known by name


class Refused(Exception):
    """An answer that is no accident: kind tells the other side which it is."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def launch(request):
    """Imports PyTorch, which may happen beside other work."""
    global torch
    try:
        import torch
    except Exception as error:
        raise Refused("torch", one_line(error))
    return {}


def start(request):
    """Sets threads and counts them, refuses what would be no opponent."""
    torch.set_num_threads(request["threads"])
    if request["method"] == "compile" and not hasattr(torch, "compile"):
        raise Refused("unavailable", "torch.compile is not available in torch %s; it came with PyTorch 2" % torch.__version__)
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "working_threads": working_threads(request["threads"]),
        "blas": blas(),
        "mkldnn": torch.backends.mkldnn.is_available(),
        "config": torch.__config__.show() + torch.__config__.parallel_info(),
    }


def blas():
    """The library behind torch.mm, as found in this process; PyTorch's own
    description only knows what it was built against. What NumPy and SciPy bring
    for themselves is not it."""
    rate = multiply_rate()
    libraries = [path for path in mapped_libraries() if "numpy.libs" not in path and "scipy.libs" not in path]
    for path in libraries:
        if os.path.basename(path).startswith("libblas.so") and not known(path):
            raise Refused("blas", "its matrix products run on the reference BLAS (%s, %.1f GFLOP/s)" % (path, rate))
    for path in libraries:
        if "libblas" not in path and known(os.path.basename(path)):
            return path
    if "mkl_version" in torch.__config__.show().lower() or torch.backends.mkl.is_available():
        return "mkl"
    if rate < MINIMAL_RATE:
        raise Refused("blas", "its matrix products reach only %.1f GFLOP/s" % rate)
    return "unknown"


def known(path):
    return any(name in path for name in ("openblas", "mkl_", "blis", "atlas", "armpl"))


def mapped_libraries():
    with open("/proc/self/maps") as maps:
        return sorted({line.split(maxsplit=5)[5].strip() for line in maps if ".so" in line})


def multiply_rate():
    """GFLOP/s of small matrix products, which no library spreads over threads."""
    size, repeat = 64, 50
    a, b = torch.rand(size, size), torch.rand(size, size)
    best = float("inf")
    for _ in range(4):
        begin = time.thread_time_ns()
        for _ in range(repeat):
            torch.mm(a, b)
        best = min(best, time.thread_time_ns() - begin)
    return repeat * 2 * size**3 / max(best, 1)


def working_threads(wanted):
    """How many threads do work, counted by the CPU time that each spends:
    the settings are only what was asked for. OpenBLAS and OpenMP have threads
    of their own, so each is tried. On a busy machine one kind may still spin
    while the other is counted, so what looks wrong is looked at again."""
    matrix, vector = torch.rand(512, 512), torch.rand(1 << 21)
    counts = []
    for work in (lambda: torch.mm(matrix, matrix), lambda: torch.exp(vector)):
        for pause in (0.1, 0.4, 1.0):
            count = count_threads(work, pause)
            if count == wanted:
                break
        counts.append(count)
    return {"matmul": counts[0], "elementwise": counts[1]}


def count_threads(work, pause):
    """Threads that spend a fair share of the time that work takes."""
    work()  # starts the threads
    time.sleep(pause)  # threads of the other kind spin for a while after their work
    before, begin = thread_times(), time.process_time_ns()
    while time.process_time_ns() - begin < 60_000_000:
        work()
    spent = [after - before.get(thread, 0) for thread, after in thread_times().items()]
    return sum(1 for s in spent if s > 0.2 * max(spent))


def thread_times():
    """CPU nanoseconds of each thread of this process."""
    times = {}
    for thread in os.listdir("/proc/self/task"):
        with open("/proc/self/task/%s/schedstat" % thread) as file:
            times[thread] = int(file.read().split()[0])
    return times


def matmul():
    class Matmul(torch.nn.Module):
        def forward(self, a, b):
            return torch.matmul(a, b)

    return Matmul()


def linear(weight, bias):
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data, layer.bias.data = weight, bias
    return layer


def conv2d(weight, bias):
    layer = conv_layer(weight, True)
    layer.bias.data = bias
    return layer


def conv_layer(weight, bias):
    out, channels, height, width = weight.shape
    padding = (height // 2, width // 2)
    layer = torch.nn.Conv2d(channels, out, (height, width), padding=padding, bias=bias)
    layer.weight.data = weight
    return layer


def resnet_block(*weights):
    """The basic block as torchvision writes it."""

    class ResNetBlock(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = conv_layer(weights[0], False), batch_norm(*weights[1:5])
            self.conv2, self.bn2 = conv_layer(weights[5], False), batch_norm(*weights[6:10])
            self.relu = torch.nn.ReLU(inplace=True)

        def forward(self, x):
            out = self.relu(self.bn1(self.conv1(x)))
            out = self.bn2(self.conv2(out))
            out += x
            return self.relu(out)

    return ResNetBlock()


def batch_norm(gamma, beta, mean, variance):
    layer = torch.nn.BatchNorm2d(gamma.shape[0])
    layer.weight.data, layer.bias.data = gamma, beta
    layer.running_mean, layer.running_var = mean, variance
    return layer


def graph(layers, output, tensors, weights):
    """A model that calls layers one after the other. It is compiled from the
    text that a user would have written, so that no walk over the layers is in
    its time."""

    class Graph(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name, weight in weights.items():
                self.register_buffer(name, weight)

    namespace = {"torch": torch, "F": torch.nn.functional, "layer_norm": layer_norm}
    exec(graph_text(layers, output, tensors, weights), namespace)
    Graph.forward = namespace["forward"]
    return Graph()


def graph_text(layers, output, tensors, weights):
    """The forward function of a graph. What no later layer reads is given back,
    as it is where people use one name again and again."""
    last = {name: i for i, layer in enumerate(layers) for name in layer["inputs"]}
    made = {layer["output"] for layer in layers}
    lines = ["def forward(self, %s):" % ", ".join(tensors)]
    for i, layer in enumerate(layers):
        arguments = ["self." + name if name in weights else name for name in layer["inputs"]]
        arguments += ["%s=%r" % attribute for attribute in layer.get("attributes", {}).items()]
        lines.append("%s = %s(%s)" % (layer["output"], layer["op"], ", ".join(arguments)))
        lines += ["del " + name for name in set(layer["inputs"]) & made if last[name] == i]
    return "\n    ".join(lines + ["return " + output])


def layer_norm(x, gamma, beta, eps):
    """Normalises the last dimension."""
    return torch.nn.functional.layer_norm(x, gamma.shape, gamma, beta, eps)


def held(tensor, arg):
    """An argument as a user of PyTorch holds it."""
    if "permutation" in arg:
        tensor = tensor.permute(arg["permutation"])
    if "shape" in arg:
        return tensor.reshape(arg["shape"])
    return tensor.contiguous(memory_format=torch.channels_last) if "permutation" in arg else tensor


MODELS = {"matmul": matmul, "linear": linear, "conv2d": conv2d, "resnet_block": resnet_block}
COMPILERS = ("jit", "compile")  # methods that work ahead of use


def load(request):
    """Builds the model from the inputs in shared memory. The answer's
    preparation is what the method does ahead of use; compilers do part of it
    in the first call."""
    global model, inputs, order
    model, inputs = None, ()  # what was loaded before makes room first
    order = request.get("order")
    tensors, weights = read_inputs(request["args"])
    with torch.no_grad():
        model = build(request, weights).eval()
        if request["method"] == "channels-last":
            model, tensors = channels_last(model, tensors)
    inputs = tuple(tensors)
    begin = time.perf_counter_ns()
    model = prepare(model, request["method"])
    with torch.inference_mode():
        shape = list(result().shape)
    ahead = time.perf_counter_ns() - begin if request["method"] in COMPILERS else 0
    return {"shape": shape, "prepare": ahead}


def build(request, weights):
    if request["kind"] != "graph":
        return MODELS[request["kind"]](*weights)
    names = {True: [], False: []}  # by whether it is a weight
    for arg in request["args"]:
        names[arg["weight"]].append(arg["name"])
    return graph(request["layers"], request["output"], names[False], dict(zip(names[True], weights)))


def result():
    """What the model gives, its dimensions in the order of the request."""
    out = model(*inputs)
    return out.permute(order) if order else out


def prepare(model, method):
    if method == "jit":
        with torch.no_grad():
            traced = torch.jit.trace(model, inputs, check_trace=False)
            return torch.jit.optimize_for_inference(torch.jit.freeze(traced.eval()))
    if method == "compile":
        return torch.compile(model)
    return model


def channels_last(model, tensors):
    """The model and its inputs with the channels of images and of convolutions'
    weights innermost; what is no image stays as it is. The result comes in that
    layout too, so that no change of layout is in the time."""
    tensors = [t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t for t in tensors]
    return model.to(memory_format=torch.channels_last), tensors


def read_inputs(args):
    """The tensors of the call, and the weights, each in memory of its own."""
    total = sum(elements(arg["shape"]) for arg in args)
    memory = torch.from_file("/proc/self/fd/%d" % INPUTS, False, total)
    tensors, weights, offset = [], [], 0
    for arg in args:
        count = elements(arg["shape"])
        tensor = held(memory[offset : offset + count].view(arg["shape"]).clone(), arg.get("held", {}))
        (weights if arg["weight"] else tensors).append(tensor)
        offset += count
    return tensors, weights


def elements(shape):
    count = 1
    for extent in shape:
        count *= extent
    return count


def run(request):
    """Times the model: samples are nanoseconds per call, the mean of a block."""
    with torch.inference_mode():
        gc.collect()
        gc.disable()
        try:
            warm_up(request["warmup"])
            block = block_length()
            processor, wall = time.process_time_ns(), time.perf_counter_ns()
            samples = [timed(block) / block for _ in range(request["runs"])]
            wall = time.perf_counter_ns() - wall
            processor = time.process_time_ns() - processor
        finally:
            gc.enable()
    return {"samples": samples, "block": block, "cpu_over_wall": processor / wall}


def warm_up(calls):
    """Calls the model so many times and until threads that began on one core have
    been parted, fewer times where that takes long: after half a second everything
    is warm."""
    begin = time.perf_counter_ns()
    done = 0
    while True:
        timed(1)
        done += 1
        elapsed = time.perf_counter_ns() - begin
        if elapsed > 500_000_000 or (done >= calls and elapsed > 100_000_000):
            return


def block_length():
    """Calls that take long enough together for the clock not to show."""
    block = 1
    while True:
        elapsed = timed(block)
        if elapsed < 10 * MINIMAL_BLOCK:  # near the limit one hiccup must not decide
            elapsed = min(elapsed, timed(block), timed(block))
        if elapsed >= MINIMAL_BLOCK:
            return block
        block = max(2 * block, int(1.2 * block * MINIMAL_BLOCK / max(elapsed, 1)))


def timed(calls):
    call, arguments = model, inputs
    begin = time.perf_counter_ns()
    for _ in range(calls):
        call(*arguments)
    return time.perf_counter_ns() - begin


def outputs(request):
    """Calls the model once more and leaves the result in shared memory."""
    with torch.inference_mode():
        out = result().contiguous()
        memory = torch.from_file("/proc/self/fd/%d" % OUTPUTS, True, out.numel())
        memory.copy_(out.view(-1))
    return {}


def one_line(error):
    text = " ".join(str(error).split())
    return "%s: %s" % (type(error).__name__, text) if text else type(error).__name__


def serve():
    handlers = {"launch": launch, "start": start, "load": load, "run": run, "outputs": outputs}
    for descriptor in (REQUESTS, ANSWERS, INPUTS, OUTPUTS):
        os.set_inheritable(descriptor, False)
    with os.fdopen(REQUESTS) as requests, os.fdopen(ANSWERS, "w") as answers:
        for line in requests:
            request = json.loads(line)
            try:
                answer = handlers[request["request"]](request)
            except Refused as refusal:
                answer = {"error": str(refusal), "refused": refusal.kind}
            except Exception as error:
                answer = {"error": one_line(error)}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


serve()
