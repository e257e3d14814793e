package io.ambo.hatests.oracle;

import io.ambo.cluster.ClusterException;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.Transport;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.replication.DeltaReader;
import io.ambo.cluster.replication.MalformedMessage;
import io.ambo.cluster.session.SessionKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.PriorityQueue;
import java.util.random.RandomGenerator;

/**
 * The sync link of a replay: every message takes a time of its own, so that they overtake each other, and some are lost on the wire. Those come when the transport
 * has sent them again, as JGroups does: far too late for a stray that waits for its delta. Until {@link #disturb} it is a perfect link.
 */
final class SyncLink {
    /** When the transport finds out that a message is lost: its retransmission interval, 10 ms, and as much for the way there and back. */
    private static final long AGAIN_FROM_NS = 10_000_000, AGAIN_TO_NS = 20_000_000;

    /** @param bytes of a packet that is handed over there are none here */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Message(long arrivesNs, long number, String way, byte[] bytes, boolean lost, Runnable arrive) {}

    private final ReplayClock clock;
    private final RandomGenerator random;
    private final List<Port> ports = new ArrayList<>();
    private final PriorityQueue<Message> underWay = new PriorityQueue<>((a, b) -> a.arrivesNs == b.arrivesNs
            ? Long.compare(a.number, b.number)
            : Long.compare(a.arrivesNs, b.arrivesNs));
    private long numbers;
    private long delayNs;
    private double loss;
    private long sent;
    private long lost;

    SyncLink(ReplayClock clock, RandomGenerator random) {
        this.clock = clock;
        this.random = random;
    }

    /** From now on each message takes up to so long, and this part of them is lost at each try. */
    void disturb(long mostDelayNs, double part) {
        delayNs = mostDelayNs;
        loss = part;
    }

    Transport port(String name) { return new Port(NodeId.of(name)); }

    /** When the next message arrives; Long.MAX_VALUE: none is under way. */
    long nextNs() {
        Message next = underWay.peek();
        return next == null ? Long.MAX_VALUE : next.arrivesNs;
    }

    /** Delivers what has arrived by now. @return messages delivered */
    int deliver() {
        int delivered = 0;
        while (nextNs() <= clock.monotonicNs()) {
            Message message = underWay.remove();
            message.arrive.run();
            delivered++;
        }
        return delivered;
    }

    /** Messages that the link has taken, and lost at first. */
    long sent() { return sent; }

    long lost() { return lost; }

    /** What is under way about one of these sessions, a line each. */
    List<String> about(List<SessionKey> keys) {
        List<String> lines = new ArrayList<>();
        DeltaReader reader = new DeltaReader();
        for (Message message : underWay.stream().sorted(underWay.comparator()).toList()) {
            if (message.bytes.length == 0) continue;
            try {
                if (reader.read(message.bytes, 0, message.bytes.length, clock.monotonicMs()) == DeltaReader.Kind.OTHER) continue;
                for (int i = 0; i < reader.count(); i++) {
                    SessionKey key = reader.key(i);
                    if (keys.stream().noneMatch(key::sameAs)) continue;
                    lines.add(message.way + (message.lost
                            ? ", lost on the way"
                            : ", arrives at "
                                    + clock.text(message.arrivesNs))
                            + ": " + SessionLine.of(key, reader.record(i)));
                }
            } catch (MalformedMessage impossible) {
                throw new IllegalStateException("a node wrote what no node can read", impossible);
            }
        }
        return lines;
    }

    /** A packet is handed over, in a datagram of its own. It is not lost: that would be a lost packet, and of what its sender does then a capture knows nothing. */
    void carry(Runnable arrive) {
        underWay.add(new Message(clock.monotonicNs() + delayNs(), numbers++, "", new byte[0], false, arrive));
    }

    private long delayNs() { return delayNs == 0 ? 0 : random.nextLong(delayNs + 1); }

    private void send(Port from, Port to, byte[] bytes) {
        long takes = delayNs();
        boolean isLost = false;
        while (loss > 0 && random.nextDouble() < loss) {
            takes += random.nextLong(AGAIN_FROM_NS, AGAIN_TO_NS);
            isLost = true;
        }
        sent++;
        if (isLost) lost++;
        underWay.add(new Message(clock.monotonicNs() + takes, numbers++, from.local + " > " + to.local, bytes, isLost,
                () -> to.receiver().onMessage(from.local, bytes, 0, bytes.length)));
    }

    private final class Port implements Transport {
        private final NodeId local;
        private final List<Receiver> receivers = new ArrayList<>(1);

        Port(NodeId local) { this.local = local; }

        Receiver receiver() { return receivers.getFirst(); }

        @Override
        public void start(Receiver receiver) {
            receivers.add(receiver);
            ports.add(this);
            List<NodeId> members = ports.stream().map(port -> port.local).toList();
            for (Port port : ports)
                port.receiver().onMembership(new Membership(new View(members.size(), port.local, members), List.of(), ""));
        }

        @Override
        public void sendToAll(byte[] bytes, int offset, int length) {
            byte[] copy = Arrays.copyOfRange(bytes, offset, offset + length);
            for (Port port : ports) if (port != this) send(this, port, copy);
        }

        @Override
        public void sendTo(NodeId peer, byte[] bytes, int offset, int length) throws ClusterException {
            byte[] copy = Arrays.copyOfRange(bytes, offset, offset + length);
            for (Port port : ports) if (port.local.equals(peer)) send(this, port, copy);
        }

        @Override
        public void sendHint(NodeId peer, byte[] bytes, int offset, int length) {
            byte[] copy = Arrays.copyOfRange(bytes, offset, offset + length);
            for (Port port : ports) if (port.local.equals(peer)) send(this, port, copy);
        }

        @Override
        public void close() { ports.remove(this); }
    }
}
