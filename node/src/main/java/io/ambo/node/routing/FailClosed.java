package io.ambo.node.routing;

import io.ambo.cluster.time.Clock;
import io.ambo.node.sys.Errno;
import io.ambo.node.sys.Netlink;
import io.ambo.node.sys.Rtnetlink;
import io.ambo.node.sys.SysException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/**
 * Keeps the kernel from forwarding on the data interfaces, so that nothing passes which Ambo did not let through. A thread of its own watches: who turns
 * forwarding on finds it turned off again. It stays off when this is closed.
 *
 * <p>
 * What it sets, in the network namespace that {@link #engage} is called in (net.ipv4.conf.X and net.ipv6.conf.X for each data interface X):
 * <ul>
 * <li>ipv4 and ipv6 forwarding = 0; ipv6 force_forwarding = 0 where the kernel has it.
 * <li>net.ipv6.conf.all.forwarding = 0. IPv6 knows no input interface that does not forward: with "all" on, a packet from a data interface would be
 * forwarded whatever stands in the interface's own setting. Other interfaces that must forward IPv6 can use force_forwarding (Linux 6.17 and later).
 * <li>lo's forwarding = 1, in both: the XDP program asks the kernel for routes as if its packets had come in there, since the interfaces that they did come
 * in on do not forward. Nothing else does.
 * <li>accept_redirects = 0, ipv4 send_redirects = 0, and ipv6 accept_ra = 0 where it was 1: with forwarding off the kernel takes itself for a host and would
 * believe any router advertisement from a data network. The value 2 says that the operator wants them, and stays.
 * </ul>
 */
public final class FailClosed implements AutoCloseable {
    private static final Logger LOG = LogManager.getLogger();
    private static final Path SYSCTL = Path.of("/proc/sys/net");
    private static final long CHECK_INTERVAL_MS = 1_000;
    private static final int WAIT_MS = 200;
    private static final int EVENT_BUFFER_BYTES = 1024 * 1024;

    private final Set<String> interfaces;
    private final Clock clock;
    private final Netlink events;
    private final Thread thread;
    private final AtomicLong violations = new AtomicLong();
    private volatile boolean closing;

    private FailClosed(Set<String> interfaces, Clock clock, Netlink events) {
        this.interfaces = interfaces;
        this.clock = clock;
        this.events = events;
        thread = Thread.ofPlatform().name("ambo-fail-closed").daemon(true).unstarted(this::watch);
    }

    /** As {@link #engage(Collection, Clock)} with the host's clock. */
    public static FailClosed engage(Collection<String> interfaces) {
        return engage(interfaces, Clock.SYSTEM);
    }

    /**
     * Turns forwarding off on these interfaces (those that exist; the others when they appear) and checks that it is off.
     *
     * @param interfaces names of the data interfaces and of the devices that carry them
     * @throws io.ambo.node.sys.SysException when the kernel does not take the setting: the node must not start
     */
    public static FailClosed engage(Collection<String> interfaces, Clock clock) {
        FailClosed failClosed = new FailClosed(new TreeSet<>(interfaces), clock,
                Netlink.open(EVENT_BUFFER_BYTES, Rtnetlink.GROUP_IPV4_NETCONF, Rtnetlink.GROUP_IPV6_NETCONF, Rtnetlink.GROUP_LINK));
        try {
            failClosed.apply();
        } catch (RuntimeException e) {
            failClosed.events.close();
            throw e;
        }
        failClosed.thread.start();
        return failClosed;
    }

    /** How many settings somebody else had turned on, each time that was found. */
    public long violations() { return violations.get(); }

    /** Stops watching. Forwarding stays off. */
    @Override
    public void close() {
        closing = true;
        try {
            thread.join(10L * WAIT_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void watch() {
        long checkedMs = clock.monotonicMs();
        boolean told = false;
        try {
            while (!closing) {
                boolean event = events.receive(WAIT_MS, message -> {}) != 0;
                for (int i = 0; i < 64 && events.receive(0, message -> {}) > 0; i++) event = true;
                if (!event && clock.monotonicMs() - checkedMs < CHECK_INTERVAL_MS) continue;
                checkedMs = clock.monotonicMs();
                told |= check(told);
            }
        } finally {
            events.close();
        }
    }

    /** @return true when somebody had turned forwarding on, or it could not be turned off */
    private boolean check(boolean told) {
        try {
            int found = apply();
            if (found == 0) return false;
            violations.addAndGet(found);
            if (!told)
                LOG.error("kernel forwarding had been turned on for {} and is off again; Ambo forwards instead of the kernel", interfaces);
        } catch (SysException e) {
            if (!told) LOG.error("kernel forwarding cannot be kept off", e);
        }
        return true;
    }

    /** Sets what must be set. @return how many settings let packets pass before */
    private int apply() {
        Path ipv4 = SYSCTL.resolve("ipv4/conf");
        Path ipv6 = SYSCTL.resolve("ipv6/conf");
        int found = 0;
        for (String name : interfaces) {
            Path conf4 = ipv4.resolve(name);
            found += off(conf4.resolve("forwarding"));
            off(conf4.resolve("send_redirects"));
            off(conf4.resolve("accept_redirects"));
            Path conf6 = ipv6.resolve(name);
            Path routerAdvertisements = conf6.resolve("accept_ra");
            if ("1".equals(read(routerAdvertisements))) off(routerAdvertisements);
            off(conf6.resolve("accept_redirects"));
            // The interface's own setting alone makes it a router or a host; what lets packets pass is "all" and "force".
            off(conf6.resolve("forwarding"));
            found += off(conf6.resolve("force_forwarding"));
        }
        if (!interfaces.isEmpty()) found += off(ipv6.resolve("all/forwarding"));
        on(ipv4.resolve("lo/forwarding"));
        on(ipv6.resolve("lo/forwarding"));
        return found;
    }

    /** Sets 0 and reads it back. @return 1 when it was something else */
    private static int off(Path setting) {
        String before = read(setting);
        if (before.isEmpty() || "0".equals(before)) return 0;
        try {
            Files.writeString(setting, "0");
        } catch (IOException e) {
            // The interface went away between reading and writing: nothing to turn off.
            if (!Files.exists(setting)) return 0;
            throw new SysException("turn off kernel forwarding", Errno.EACCES, setting + ": " + e.getMessage(),
                    "run as root, with /proc/sys writable");
        }
        String after = read(setting);
        if (!after.isEmpty() && !"0".equals(after)) {
            throw new SysException("turn off kernel forwarding", Errno.EBUSY, setting + " = " + after, "find out who keeps turning it on");
        }
        return 1;
    }

    /** Sets 1, if there is such a setting. */
    private static void on(Path setting) {
        if (!"0".equals(read(setting))) return;
        try {
            Files.writeString(setting, "1");
        } catch (IOException e) {
            throw new SysException("let the fast path ask for routes", Errno.EACCES, setting + ": " + e.getMessage(),
                    "run as root, with /proc/sys writable");
        }
    }

    /** The setting, or "" when there is no such one: no such interface, no IPv6, an older kernel. */
    private static String read(Path setting) {
        try {
            return Files.readString(setting).strip();
        } catch (IOException e) {
            return "";
        }
    }
}
