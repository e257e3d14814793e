package io.ambo.node.routing;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Assumptions;

/**
 * Two network namespaces of a test's own: "here", where the test's threads run, and a peer. Both are joined by veth pairs east0-east1 (10.0.0.1 and .2,
 * fd00::1 and ::2) and west0-west1 (10.1.0.1 and .2, fd01::1 and ::2). Removed when closed.
 */
final class TwoHosts implements AutoCloseable {
    private static final int CLONE_NEWNET = 0x40000000;
    private static final MethodHandle OPEN = function("open", ValueLayout.ADDRESS, ValueLayout.JAVA_INT);
    private static final MethodHandle SETNS = function("setns", ValueLayout.JAVA_INT, ValueLayout.JAVA_INT);
    private static final MethodHandle CLOSE = function("close", ValueLayout.JAVA_INT);
    private static final AtomicInteger COUNT = new AtomicInteger();

    private final String here;
    private final String peer;

    private TwoHosts(String name) {
        here = name + "h";
        peer = name + "p";
    }

    /** Skips the test that calls it when the process is not root. */
    static TwoHosts create() {
        Assumptions.assumeTrue(isRoot(), "needs root, for network namespaces: sudo ./ambo test");
        TwoHosts hosts = new TwoHosts("ambrt" + ProcessHandle.current().pid() + "-" + COUNT.incrementAndGet());
        run("ip", "netns", "add", hosts.here);
        run("ip", "netns", "add", hosts.peer);
        hosts.ip("link set lo up");
        hosts.link("east", 0);
        hosts.link("west", 1);
        return hosts;
    }

    private void link(String name, int number) {
        run("ip", "-n", here, "link", "add", name + "0", "type", "veth", "peer", "name", name + "1", "netns", peer);
        ip("addr add 10." + number + ".0.1/24 brd + dev " + name + "0");
        ip("addr add fd0" + number + "::1/64 dev " + name + "0 nodad");
        ip("link set " + name + "0 up");
        peerIp("addr add 10." + number + ".0.2/24 dev " + name + "1");
        peerIp("addr add fd0" + number + "::2/64 dev " + name + "1 nodad");
        peerIp("link set " + name + "1 up");
    }

    /** ip(8) here. */
    void ip(String arguments) { ip(here, arguments); }

    /** ip(8) at the peer. */
    void peerIp(String arguments) { ip(peer, arguments); }

    /** Many ip(8) commands here, one a line, in one process. */
    void batch(List<String> commands) {
        try {
            Path file = Files.createTempFile("ambrt", ".batch");
            Files.write(file, commands);
            run("ip", "-n", here, "-batch", file.toString());
            Files.delete(file);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The one-line answer of ip(8) here, empty when there is none. */
    String show(String arguments) {
        return output(command(here, arguments)).strip();
    }

    /** The same at the peer. */
    String peerShow(String arguments) { return output(command(peer, arguments)).strip(); }

    void sysctl(String setting) { run("ip", "netns", "exec", here, "sysctl", "-qw", setting); }

    String sysctlValue(String name) { return output(List.of("ip", "netns", "exec", here, "sysctl", "-n", name)).strip(); }

    /** Runs a task on a thread inside "here". Threads and sockets that it makes stay there. */
    <T> T call(Callable<T> task) throws Exception {
        FutureTask<T> future = new FutureTask<>(() -> {
            enter();
            return task.call();
        });
        Thread thread = Thread.ofPlatform().name(here).start(future);
        try {
            return future.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Exception cause) throw cause;
            if (e.getCause() instanceof Error cause) throw cause;
            throw e;
        } finally {
            thread.join();
        }
    }

    @Override
    public void close() {
        run("ip", "netns", "del", here);
        run("ip", "netns", "del", peer);
    }

    private void enter() throws Exception {
        try (Arena arena = Arena.ofConfined()) {
            int descriptor = (int) OPEN.invokeExact(arena.allocateFrom("/run/netns/" + here), 0);
            int entered = (int) SETNS.invokeExact(descriptor, CLONE_NEWNET);
            if (entered != 0) throw new IllegalStateException("setns " + here + " failed");
            int ignored = (int) CLOSE.invokeExact(descriptor);
        } catch (Exception e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private static MethodHandle function(String name, ValueLayout... arguments) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), FunctionDescriptor.of(ValueLayout.JAVA_INT, arguments));
    }

    private static boolean isRoot() {
        try {
            return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0;
        } catch (IOException e) {
            return false;
        }
    }

    private static void ip(String namespace, String arguments) { run(command(namespace, arguments).toArray(String[]::new)); }

    private static List<String> command(String namespace, String arguments) {
        List<String> command = new ArrayList<>(List.of("ip", "-n", namespace));
        command.addAll(List.of(arguments.split(" ")));
        return command;
    }

    private static String output(List<String> command) {
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (process.waitFor() != 0) throw new IllegalStateException(String.join(" ", command) + ": " + output);
            return output;
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(String.join(" ", command), e);
        }
    }

    private static void run(String... command) { String ignored = output(List.of(command)); }
}
