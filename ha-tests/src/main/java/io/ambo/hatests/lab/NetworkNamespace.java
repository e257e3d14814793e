package io.ambo.hatests.lab;

import io.ambo.hatests.sys.Libc;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** A named network namespace (ip-netns(8)): a host of the lab. */
public record NetworkNamespace(String name) {
    private static final Path DIRECTORY = Path.of("/run/netns");
    private static final Pattern ETHERNET_ADDRESS = Pattern.compile("link/ether ([0-9a-f:]{17})");

    /** Makes it, with loopback up and IPv6 addresses usable at once. */
    public void create() {
        Command.run("ip", "netns", "add", name);
        // Accepting router advertisements and looking for duplicate addresses take seconds that a lab does not need.
        sysctl("net.ipv6.conf.all.accept_ra", "0");
        sysctl("net.ipv6.conf.default.accept_ra", "0");
        sysctl("net.ipv6.conf.all.accept_dad", "0");
        sysctl("net.ipv6.conf.default.accept_dad", "0");
        sysctl("net.ipv4.conf.all.rp_filter", "0");
        sysctl("net.ipv4.conf.default.rp_filter", "0");
        ip("link set lo up");
    }

    /** Ends every process in it and removes it. Nothing happens when it is not there. */
    public void delete() {
        if (!exists()) return;
        for (long pid : processes())
            if (pid != ProcessHandle.current().pid()) ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
        Command.run("ip", "netns", "delete", name);
    }

    /** Sends a signal (STOP, CONT, ...) to every process of this program here. */
    public void signal(String program, String signal) {
        for (long pid : processes()) {
            try {
                if (Files.readString(Path.of("/proc", Long.toString(pid), "comm")).strip().equals(program))
                    Command.run("kill", "-" + signal, Long.toString(pid));
            } catch (IOException gone) {
                // It ended in between.
            }
        }
    }

    private long[] processes() {
        String pids = Command.attempt(java.time.Duration.ofSeconds(20), "ip", "netns", "pids", name).output();
        return java.util.Arrays.stream(pids.strip().split("\\s+", -1)).filter(pid -> !pid.isEmpty()).mapToLong(Long::parseLong).toArray();
    }

    public boolean exists() { return Files.exists(DIRECTORY.resolve(name)); }

    /** Runs commands of ip(8) here, one a line, in one process. */
    public void ip(String commands) {
        Command.run(commands + "\n", List.of("ip", "-n", name, "-batch", "-"));
    }

    /** Runs a program here to its end. */
    public String run(String... words) { return Command.run("", command(words)); }

    /** The words that run a program here. */
    public List<String> command(String... words) {
        return Stream.concat(Stream.of("ip", "netns", "exec", name), Stream.of(words)).toList();
    }

    /** Writes a setting of this namespace, dots for slashes as in sysctl(8). */
    public void sysctl(String setting, String value) {
        call(() -> Files.writeString(Path.of("/proc/sys", setting.split("\\.", -1)), value));
    }

    public String readSysctl(String setting) {
        return call(() -> Files.readString(Path.of("/proc/sys", setting.split("\\.", -1))).strip());
    }

    /**
     * Runs a task on a platform thread that is in this namespace and waits for it. Sockets that it opens stay in the namespace and may be used by any
     * thread.
     */
    public <T> T call(Callable<T> task) {
        CompletableFuture<T> result = new CompletableFuture<>();
        start("in-" + name, () -> {
            try {
                result.complete(task.call());
            } catch (Throwable thrown) {
                result.completeExceptionally(thrown);
            }
        });
        try {
            return result.get();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new LabException("interrupted in namespace " + name, interrupted);
        } catch (ExecutionException failed) {
            Throwable cause = failed.getCause() == null ? failed : failed.getCause();
            if (cause instanceof LabException told) throw told;
            throw new LabException("in namespace " + name + ": " + cause, cause);
        }
    }

    /** Starts a platform thread that is in this namespace for all its life. Returns when it is there. */
    public Thread start(String threadName, Runnable task) {
        CompletableFuture<Void> entered = new CompletableFuture<>();
        Thread thread = Thread.ofPlatform().daemon().name(threadName).start(() -> {
            try {
                Libc.enterNetworkNamespace(DIRECTORY.resolve(name).toString());
            } catch (RuntimeException failed) {
                entered.completeExceptionally(failed);
                return;
            }
            entered.complete(null);
            task.run();
        });
        try {
            entered.join();
        } catch (CompletionException failed) {
            throw new LabException("cannot enter namespace " + name + ": " + failed.getCause(), failed);
        }
        return thread;
    }

    /** Text of a file under /proc/net as this namespace sees it. */
    public String procNet(String file) {
        // thread-self, because /proc/net is that of the process's first thread.
        return call(() -> Files.readString(Path.of("/proc/thread-self/net", file)));
    }

    /** A counter of an interface here, as in /sys/class/net/DEVICE/statistics. */
    public long interfaceCounter(String device, String counter) {
        for (String line : procNet("dev").lines().toList()) {
            String[] words = line.strip().split("[:\\s]+", -1);
            if (!words[0].equals(device)) continue;
            int column = switch (counter) {
                case "rx_bytes" -> 1;
                case "rx_packets" -> 2;
                case "rx_dropped" -> 4;
                case "tx_bytes" -> 9;
                case "tx_packets" -> 10;
                case "tx_dropped" -> 12;
                default -> throw new IllegalArgumentException(counter);
            };
            return Long.parseLong(words[column]);
        }
        throw new LabException("no interface " + device + " in namespace " + name);
    }

    /** The Ethernet address of an interface here, in the low 48 bits. */
    public long macOf(String device) {
        Matcher address = ETHERNET_ADDRESS.matcher(Command.run("ip", "-n", name, "-o", "link", "show", "dev", device));
        if (!address.find()) throw new LabException("interface " + device + " in namespace " + name + " has no Ethernet address");
        return Long.parseLong(address.group(1).replace(":", ""), 16);
    }

    /** All namespaces of this machine whose name begins so. */
    static List<NetworkNamespace> all(String prefix) {
        if (!Files.isDirectory(DIRECTORY)) return List.of();
        try (Stream<Path> files = Files.list(DIRECTORY)) {
            return files.map(file -> file.getFileName().toString()).filter(name -> name.startsWith(prefix)).sorted()
                    .map(NetworkNamespace::new).toList();
        } catch (IOException failed) {
            throw new LabException("cannot list " + DIRECTORY, failed);
        }
    }
}
