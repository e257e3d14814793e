package io.ambo.node.sys;

import static io.ambo.node.sys.Native.INT;
import static io.ambo.node.sys.Native.POINTER;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Assumptions;

/** A network namespace of a test's own, with loopback up and IPv6 silent. Removed when it is closed. */
public final class NetworkNamespace implements AutoCloseable {
    private static final MethodHandle SETNS = Native.errnoFunction("setns", INT, INT, INT);
    private static final MethodHandle OPEN = Native.errnoFunction("open", INT, POINTER, INT);
    private static final int CLONE_NEWNET = 0x40000000;
    private static final AtomicInteger COUNT = new AtomicInteger();

    private final String name;

    private NetworkNamespace(String name) { this.name = name; }

    /** Skips the test that calls it when the process is not root. */
    public static NetworkNamespace create() {
        Assumptions.assumeTrue(isRoot(), "needs root, for network namespaces, AF_XDP and BPF: sudo ./ambo test");
        String name = "ambsys" + ProcessHandle.current().pid() + "-" + COUNT.incrementAndGet();
        run("ip", "netns", "add", name);
        NetworkNamespace namespace = new NetworkNamespace(name);
        namespace.ip("link", "set", "lo", "up");
        namespace.exec("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1");
        return namespace;
    }

    public String name() { return name; }

    /** ip -n NAMESPACE ... */
    public void ip(String... arguments) {
        String[] command = new String[arguments.length + 3];
        command[0] = "ip";
        command[1] = "-n";
        command[2] = name;
        System.arraycopy(arguments, 0, command, 3, arguments.length);
        run(command);
    }

    /** ip netns exec NAMESPACE ..., and what it printed. */
    public String exec(String... arguments) {
        String[] command = new String[arguments.length + 4];
        command[0] = "ip";
        command[1] = "netns";
        command[2] = "exec";
        command[3] = name;
        System.arraycopy(arguments, 0, command, 4, arguments.length);
        return run(command);
    }

    /** Two interfaces joined back to back, both up, with these hardware addresses. */
    public void addVethPair(String first, String firstMac, String second, String secondMac) {
        ip("link", "add", first, "address", firstMac, "type", "veth", "peer", "name", second, "address", secondMac);
        ip("link", "set", first, "up");
        ip("link", "set", second, "up");
    }

    /** Runs a task on a thread inside the namespace and waits for it. Sockets stay in the namespace they were opened in. */
    public <T> T call(Callable<T> task) throws Exception {
        CompletableFuture<T> result = new CompletableFuture<>();
        Thread.ofPlatform().name(name).start(() -> {
            try {
                enter();
                result.complete(task.call());
            } catch (Throwable failure) {
                result.completeExceptionally(failure);
            }
        });
        try {
            return result.get();
        } catch (ExecutionException failure) {
            if (failure.getCause() instanceof Exception exception) throw exception;
            if (failure.getCause() instanceof Error error) throw error;
            throw failure;
        }
    }

    @Override
    public void close() { run("ip", "netns", "del", name); }

    private void enter() throws Throwable {
        try (Arena arena = Arena.ofConfined()) {
            int fd = (int) OPEN.invokeExact(Native.captured(), arena.allocateFrom("/run/netns/" + name), 0);
            int result = (int) SETNS.invokeExact(Native.captured(), fd, CLONE_NEWNET);
            if (result < 0) throw new SysException("enter a network namespace", Native.errno(Native.captured()), name, "");
            Libc.close(fd);
        }
    }

    private static boolean isRoot() {
        try {
            return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0;
        } catch (IOException unreadable) {
            return false;
        }
    }

    private static String run(String... command) {
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (process.waitFor() != 0) throw new IllegalStateException(String.join(" ", command) + ": " + output);
            return output;
        } catch (IOException failure) {
            throw new IllegalStateException(String.join(" ", command), failure);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(interrupted);
        }
    }
}
