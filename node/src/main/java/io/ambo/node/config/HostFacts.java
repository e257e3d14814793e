package io.ambo.node.config;

import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** What the checks want to know of the host. A port, so that tests and {@code ambo config check} on another machine can say it themselves. */
public interface HostFacts {

    /**
     * A network interface.
     *
     * @param mtu           bytes of an IP packet
     * @param parent        the device below a VLAN interface, else empty
     * @param vlan          802.1Q id, or -1
     * @param receiveQueues or 0 when it cannot be known
     * @param addresses     all of them
     */
    record HostInterface(String name, int mtu, String parent, int vlan, int receiveQueues, List<InetAddress> addresses) {
        public HostInterface {
            addresses = List.copyOf(addresses);
        }
    }

    /** What can be said of a file before it is read. */
    sealed interface FileFacts {
        record Missing() implements FileFacts {}

        /** @param reason as the system gave it */
        record Unreadable(String reason) implements FileFacts {}

        /**
         * @param mode the lowest nine permission bits
         * @param size bytes, white space at both ends left out
         */
        record Present(int mode, long size) implements FileFacts {}
    }

    /** False when nothing is known of the host the config is for: its checks are left out. */
    default boolean isKnown() { return true; }

    /** By name, in the order of their indexes. */
    Map<String, HostInterface> interfaces();

    FileFacts file(Path file);

    boolean groupExists(String name);

    /** Whether threads of a process like this one may run on that processor. */
    boolean hasCpu(int cpu);

    /** Another host than this one. */
    HostFacts UNKNOWN = new HostFacts() {
        @Override
        public boolean isKnown() { return false; }

        @Override
        public Map<String, HostInterface> interfaces() { return Map.of(); }

        @Override
        public FileFacts file(Path file) { return new FileFacts.Missing(); }

        @Override
        public boolean groupExists(String name) { return false; }

        @Override
        public boolean hasCpu(int cpu) { return true; }
    };
}
