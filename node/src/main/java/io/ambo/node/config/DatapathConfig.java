package io.ambo.node.config;

import java.util.List;

/**
 * Section datapath.
 *
 * @param workers           packet threads, one for each receive queue; 0: as many as the data interface with the most queues has
 * @param cpus              processors for the packet threads, worker by worker and then from the beginning; empty: the scheduler's choice
 * @param xdpMode           how the XDP program is attached
 * @param fastPath          established sessions are forwarded in the kernel
 * @param fastPathAfter     packets after which a session is put into the flow cache
 * @param surviveMs         how long the kernel forwards the flows of its cache when it does not hear of the JVM
 * @param packetMemoryBytes packet buffers of one worker; a multiple of 1 MiB
 */
public record DatapathConfig(int workers, List<Integer> cpus, XdpMode xdpMode, int packetMemoryBytes, boolean fastPath, int fastPathAfter,
        int surviveMs) {
    public DatapathConfig {
        cpus = List.copyOf(cpus);
    }

    /** Worker count when the config leaves it to the host. */
    public static final int WORKERS_AUTO = 0;
}
