package io.ambo.hatests.bench;

import io.ambo.hatests.lab.Command;
import io.ambo.hatests.lab.LabException;
import java.time.Duration;
import java.util.stream.Stream;

/**
 * Room for so many entries in conntrack's table, whose size is one for all namespaces of the machine and can be set in its first one only. Set back at the end,
 * however that comes.
 */
final class ConntrackRoom implements AutoCloseable {
    private static final String MAX = "net.netfilter.nf_conntrack_max", BUCKETS = "net.netfilter.nf_conntrack_buckets";

    private final String maxBefore;
    private final String bucketsBefore;
    private final Thread onExit = new Thread(this::restore, "conntrack-room");

    private ConntrackRoom() {
        maxBefore = read(MAX);
        bucketsBefore = read(BUCKETS);
        Runtime.getRuntime().addShutdownHook(onExit);
    }

    static ConntrackRoom forEntries(long entries) {
        ConntrackRoom room = new ConntrackRoom();
        if (entries > Long.parseLong(room.maxBefore)) {
            write(MAX, Long.toString(entries));
            // A bucket for each entry: conntrack at its best.
            write(BUCKETS, Long.toString(Math.max(entries, Long.parseLong(room.bucketsBefore))));
        }
        return room;
    }

    /** The kernel moves millions of entries, of namespaces that are being taken down too. */
    private static final Duration LONGEST_RESIZE = Duration.ofMinutes(5);

    private static String read(String setting) { return onHost("sysctl", "-n", setting).strip(); }

    private static void write(String setting, String value) { onHost("sysctl", "-qw", setting + "=" + value); }

    /** The launcher has left the way there open. */
    private static String onHost(String... words) {
        String namespace = System.getenv("AMBO_HOST_NET");
        if (namespace == null) throw new LabException("AMBO_HOST_NET is not set: start this with ./ambo");
        String[] command = Stream.concat(Stream.of("nsenter", "--net=" + namespace), Stream.of(words)).toArray(String[]::new);
        Command.Outcome outcome = Command.attempt(LONGEST_RESIZE, command);
        if (!outcome.ok()) throw new LabException(String.join(" ", command) + ": " + outcome.output().strip());
        return outcome.output();
    }

    private void restore() {
        write(MAX, maxBefore);
        write(BUCKETS, bucketsBefore);
    }

    @Override
    public void close() {
        restore();
        try {
            Runtime.getRuntime().removeShutdownHook(onExit);
        } catch (IllegalStateException exiting) {
            // The hook runs, or is about to: it does the same again.
        }
    }
}
