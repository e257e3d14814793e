package io.ambo.hatests.lab;

import io.ambo.hatests.sys.Pause;
import io.ambo.proto.control.NodeStatus;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A node of the lab: a namespace with the interfaces left, right and sync, and a JVM of its own in it. */
public final class LabNode {
    /** A kernel that was built without them takes no such mount. */
    private static final Path LARGE_PAGES = Path.of("/sys/kernel/mm/transparent_hugepage");
    private static final Duration READY_LIMIT = Duration.ofMinutes(2);
    private static final Duration STOP_LIMIT = Duration.ofSeconds(15);

    /** Asking costs the node some processor, just when it has the least. */
    private static final int POLL_MS = 100;

    private final String name;
    private final int number;
    private final NetworkNamespace host;
    private final Path directory;
    private final List<String> members;
    private final String mode;
    private String processors = "";
    private boolean hasOwnClock;
    private @org.jspecify.annotations.Nullable Process started;

    LabNode(String name, int number, NetworkNamespace host, Path directory) {
        this(name, number, host, directory, List.of("a", "b"), "sync");
    }

    /**
     * @param number 1 for a, 2 for b: the last part of its addresses
     * @param mode   cluster.mode
     */
    LabNode(String name, int number, NetworkNamespace host, Path directory, List<String> members, String mode) {
        this.members = List.copyOf(members);
        this.mode = mode;
        this.name = name;
        this.number = number;
        this.host = host;
        this.directory = directory;
    }

    public String name() { return name; }

    public NetworkNamespace host() { return host; }

    public String leftAddress() { return Addresses.LEFT_NET + number; }

    public String leftAddress6() { return Addresses.LEFT_NET6 + number; }

    public String rightAddress() { return Addresses.RIGHT_NET + number; }

    public String rightAddress6() { return Addresses.RIGHT_NET6 + number; }

    public String syncAddress() { return Addresses.SYNC_NET + number; }

    /** Where its config, its log and its state are. */
    public Path directory() { return directory; }

    public Path config() { return directory.resolve("ambo.yml"); }

    public Path stateDirectory() { return directory.resolve("state"); }

    /** A bpffs of its own, as a host has one at /sys/fs/bpf (which is hidden from what ip-netns runs). */
    Path bpfFileSystem() {
        return directory.resolve("bpf");
    }

    /** Where its fast path is pinned. */
    public Path pins() { return bpfFileSystem().resolve("ambo"); }

    /** In a tmpfs, as on a host. */
    public Path tableDirectory() { return memory().resolve("ambo"); }

    private Path memory() { return directory.resolve("memory"); }

    public Path controlSocket() { return stateDirectory().resolve("control.sock"); }

    public Path log() { return directory.resolve("log"); }

    private Path pidFile() { return directory.resolve("pid"); }

    /** Writes the node's config file; a running node reads it on reload. */
    public void configure(Policy policy) {
        writeConfig("""
                node:
                  name: %s
                  state-dir: %s
                  table-dir: %s
                  pin-dir: %s%s
                interfaces:
                  - { name: left, zone: clients }
                  - { name: right, zone: servers }
                cluster:
                  name: lab
                  bind-address: %s
                  multicast: 239.192.10.1:45588
                  key-file: %s
                  park: %s
                  members: %s
                  mode: %s
                """.formatted(name, stateDirectory(), tableDirectory(), pins(),
                policy.rehearsal().isEmpty() ? "" : "\n  rehearsal: " + policy.rehearsal(), syncAddress(),
                directory.resolveSibling("cluster.key"),
                policy.park(), members, mode)
                + policy.yaml());
    }

    /** Writes any text as its config file. */
    public void writeConfig(String yaml) { writeFile(config().getFileName().toString(), yaml); }

    /** Writes a file beside its config, for other programs that run on this host. */
    public void writeFile(String fileName, String text) {
        try {
            Files.createDirectories(stateDirectory());
            Files.writeString(directory.resolve(fileName), text);
        } catch (IOException failed) {
            throw new LabException("cannot write " + directory.resolve(fileName), failed);
        }
    }

    /** What a host has at /sys/fs/bpf, and the tmpfs for the session table. */
    void mountFileSystems(boolean largePages) {
        mount("bpf", "rw", bpfFileSystem());
        mount("tmpfs", largePages && Files.exists(LARGE_PAGES) ? "huge=within_size" : "rw", memory());
    }

    private static void mount(String type, String options, Path where) {
        try {
            Files.createDirectories(where);
        } catch (IOException failed) {
            throw new LabException("cannot make " + where, failed);
        }
        Command.run("mount", "-t", type, "-o", options, "ambo-lab", where.toString());
    }

    /** Keeps its JVM on these processors (as taskset(1) takes them) from the next start on. */
    public void runOn(String processors) {
        this.processors = processors;
    }

    /** From the next start on its wall clock is its own: see src/main/preload. */
    void giveClock() { hasOwnClock = true; }

    /** Sets its wall clock to the machine's and so much more, at once, as date(1) would. It has to have a clock of its own. */
    public void offsetClock(long ms) {
        if (!hasOwnClock) throw new LabException("node " + name + " has the machine's clock");
        // In place: the process has the file mapped.
        try (FileChannel file = FileChannel.open(clockFile(), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            file.write(ByteBuffer.allocate(Long.BYTES).order(ByteOrder.nativeOrder()).putLong(0, ms), 0);
        } catch (IOException failed) {
            throw new LabException("cannot write " + clockFile(), failed);
        }
    }

    private Path clockFile() { return directory.resolve("clock"); }

    private void useClock(Map<String, String> environment) {
        offsetClock(0);
        environment.put("LD_PRELOAD", JvmCommand.home().resolve("ha-tests/target/classes/wallclock.so").toString());
        environment.put("AMBO_LAB_CLOCK", clockFile().toString());
    }

    /** Starts the JVM and returns at once. */
    public void start() {
        if (isRunning()) throw new LabException("node " + name + " runs already");
        // setsid: a ctrl-C in the terminal reaches the lab, which then decides about its nodes.
        List<String> words = Stream.of(List.of("setsid"), host.command(),
                processors.isEmpty() ? List.<String>of() : List.of("taskset", "-c", processors), JvmCommand.node(config()))
                .flatMap(List::stream).toList();
        ProcessBuilder builder = new ProcessBuilder(words).directory(directory.toFile()).redirectErrorStream(true)
                .redirectInput(ProcessBuilder.Redirect.from(new java.io.File("/dev/null")))
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log().toFile()));
        if (hasOwnClock) useClock(builder.environment());
        try {
            Process process = builder.start();
            started = process;
            Files.writeString(pidFile(), Long.toString(process.pid()));
        } catch (IOException failed) {
            throw new LabException("cannot start node " + name, failed);
        }
    }

    /** Waits until its gate is open: it is in sync, or alone, and takes traffic. */
    public void awaitReady() {
        long deadlineNs = System.nanoTime() + READY_LIMIT.toNanos();
        String last = "its control socket is not there yet";
        while (System.nanoTime() < deadlineNs) {
            if (!isRunning()) throw new LabException("node " + name + " ended while starting" + ending() + ":\n" + tail());
            if (Files.exists(controlSocket())) {
                try {
                    NodeStatus status = status();
                    if (status.getGate().getOpen()) return;
                    last = "its gate is closed: " + status.getGate().getReason();
                } catch (LabException notYet) {
                    last = String.valueOf(notYet.getMessage());
                }
            }
            Pause.ms(POLL_MS);
        }
        throw new LabException("node " + name + " is not ready after " + READY_LIMIT.toSeconds() + " s: " + last + "\n" + tail());
    }

    /** Waits until its cluster has so many members and its gate is open. */
    public void awaitMembers(int members) {
        awaitReady();
        long deadlineNs = System.nanoTime() + READY_LIMIT.toNanos();
        while (status().getViewCount() != members) {
            if (System.nanoTime() > deadlineNs)
                throw new LabException("node " + name + " sees " + status().getViewList() + ", not " + members + " members\n" + tail());
            Pause.ms(20);
        }
    }

    public NodeStatus status() { return control().status(); }

    /** A client of its control socket; each call is a connection. */
    public ControlClient control() {
        return new ControlClient(controlSocket());
    }

    /** SIGKILL: it is given no chance to say or save anything. Returns when the process is gone. */
    public void kill9() { end(true); }

    /** SIGTERM: a clean stop. */
    public void stop() { end(false); }

    /** As after {@code ambo restart}: the process ends and leaves its flows to the next. */
    public void endForRestart() {
        ProcessHandle process = process();
        control().restart();
        if (process != null) awaitEnd(process, "`ambo restart`");
    }

    /** SIGSTOP: the JVM stands still, the kernel under it does not. */
    public void pause() { signal("STOP"); }

    public void resume() { signal("CONT"); }

    public boolean isRunning() { return process() != null; }

    private @org.jspecify.annotations.Nullable ProcessHandle process() {
        try {
            if (!Files.exists(pidFile())) return null;
            ProcessHandle process = ProcessHandle.of(Long.parseLong(Files.readString(pidFile()).strip())).orElse(null);
            if (process == null || !process.isAlive()) return null;
            return isOurs(process) ? process : null;
        } catch (IOException unreadable) {
            return null;
        }
    }

    /** The number may have gone to another process since. In the middle of an exec the command line is empty, cut short, or cannot be read: then it is asked again. */
    private boolean isOurs(ProcessHandle process) {
        boolean isAnother = false;
        for (int attempt = 0; attempt < 10; attempt++) {
            try {
                String commandLine = Files.readString(Path.of("/proc", Long.toString(process.pid()), "cmdline"));
                if (commandLine.contains(directory.toString())) return true;
                isAnother = !commandLine.isEmpty();
            } catch (IOException unreadable) {
                if (!process.isAlive()) return false;
            }
            Pause.ms(1);
        }
        return !isAnother && process.isAlive();
    }

    /** What its process that was started here ended with, for messages. */
    private String ending() {
        Process last = started;
        return last == null || last.isAlive() ? "" : " (status " + last.exitValue() + ")";
    }

    public long pid() {
        ProcessHandle process = process();
        if (process == null) throw new LabException("node " + name + " does not run");
        return process.pid();
    }

    private void signal(String signal) { Command.run("kill", "-" + signal, Long.toString(pid())); }

    private void end(boolean forcibly) {
        ProcessHandle process = process();
        if (process == null) return;
        if (forcibly) {
            process.destroyForcibly();
        } else {
            process.destroy();
        }
        awaitEnd(process, forcibly ? "SIGKILL" : "SIGTERM");
    }

    private void awaitEnd(ProcessHandle process, String after) {
        try {
            process.onExit().get(STOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (java.util.concurrent.TimeoutException slow) {
            throw new LabException("node " + name + " still runs " + STOP_LIMIT.toSeconds() + " s after "
                    + after + "\n" + tail());
        } catch (java.util.concurrent.ExecutionException failed) {
            throw new LabException("waiting for node " + name, failed);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new LabException("interrupted while stopping node " + name, interrupted);
        }
    }

    /** All it has logged. */
    public String logText() {
        try {
            return Files.exists(log()) ? Files.readString(log()) : "";
        } catch (IOException failed) {
            throw new LabException("cannot read " + log(), failed);
        }
    }

    /** The last lines of its log. */
    public String tail() {
        List<String> lines = logText().lines().toList();
        return "--- last lines of " + log() + "\n" + String.join("\n", lines.subList(Math.max(0, lines.size() - 25), lines.size()));
    }
}
