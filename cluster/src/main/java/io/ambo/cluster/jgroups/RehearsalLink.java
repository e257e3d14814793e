package io.ambo.cluster.jgroups;

import io.ambo.cluster.ClusterKey;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.Transport;
import io.ambo.cluster.membership.View;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.random.RandomGenerator;

/** A sync link within one thread: messages are sealed, opened and authenticated as on the real one, and travel when {@link #deliver} is called. */
public final class RehearsalLink {
    private final ClusterKey key;
    private final RandomGenerator random;
    private final List<End> ends = new ArrayList<>();
    private final Deque<Runnable> underWay = new ArrayDeque<>();

    /** @param random must be unpredictable */
    public RehearsalLink(ClusterKey key, RandomGenerator random) {
        this.key = key;
        this.random = random;
    }

    /**
     * A new member's way to the others. It is one from {@link Transport#start} to {@link Transport#close}.
     *
     * @param number ends with three numbers in a row are of three classes; the real link's are of a fourth, so calls on it are compiled as calls
     */
    public Transport member(NodeId local, int number) {
        return switch (number % 3) {
            case 0 -> new End(local);
            case 1 -> new OtherEnd(local);
            default -> new ThirdEnd(local);
        };
    }

    /** @return whether anything was under way */
    public boolean deliver() {
        if (underWay.isEmpty()) return false;
        for (Runnable message = underWay.poll(); message != null; message = underWay.poll()) message.run();
        return true;
    }

    private void tellMembers() {
        List<NodeId> members = ends.stream().map(end -> end.local).toList();
        for (End each : List.copyOf(ends))
            each.receiver().onMembership(new Transport.Membership(new View(members.size(), each.local, members), List.of(), ""));
    }

    private class End implements Transport, Seal.Port<End> {
        private final NodeId local;
        private final Seal seal;
        private final List<Receiver> receivers = new ArrayList<>();

        End(NodeId local) {
            this.local = local;
            seal = new Seal(key, "rehearsal", random, System::nanoTime);
        }

        Receiver receiver() { return receivers.getFirst(); }

        @Override
        public void start(Receiver receiver) {
            receivers.add(receiver);
            ends.add(this);
            tellMembers();
        }

        @Override
        public void sendToAll(byte[] bytes, int offset, int length) {
            for (End each : ends) if (each != this) travel(each, bytes, offset, length);
        }

        @Override
        public void sendTo(NodeId peer, byte[] bytes, int offset, int length) {
            for (End each : ends) if (each.local.equals(peer)) travel(each, bytes, offset, length);
        }

        @Override
        public void sendHint(NodeId peer, byte[] bytes, int offset, int length) { sendTo(peer, bytes, offset, length); }

        private void travel(End to, byte[] bytes, int offset, int length) {
            byte[] packet = seal.seal(bytes, offset, length);
            underWay.add(() -> to.seal.open(this, packet, 0, packet.length, to));
        }

        @Override
        public void deliver(End from, byte[] bytes, int offset, int length) { receiver().onMessage(from.local, bytes, offset, length); }

        @Override
        public void send(End to, byte[] packet) { underWay.add(() -> to.seal.open(this, packet, 0, packet.length, to)); }

        @Override
        public void refused(PacketRefusal refusal) { throw new IllegalStateException("the rehearsal's own packet is refused: " + refusal); }

        @Override
        public void stranger(End from) { throw new IllegalStateException("the rehearsal's own member has another key"); }

        @Override
        public void close() {
            ends.remove(this);
            tellMembers();
        }
    }

    private final class OtherEnd extends End {
        OtherEnd(NodeId local) { super(local); }
    }

    private final class ThirdEnd extends End {
        ThirdEnd(NodeId local) { super(local); }
    }
}
