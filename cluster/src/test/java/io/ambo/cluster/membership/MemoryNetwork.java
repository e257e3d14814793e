package io.ambo.cluster.membership;

import io.ambo.cluster.ClusterException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/** Transports in one process: a thread for each receiver, delivery in order unless told otherwise. */
public final class MemoryNetwork {
    /** What is overtaken comes at the latest when the network has been silent for so long. */
    private static final long LONGEST_DELAY_MS = 10;

    private final Map<NodeId, Port> ports = new LinkedHashMap<>();
    private long views;
    private volatile @Nullable RandomGenerator chaos;
    private volatile double lossOfBatches;

    /** From now on messages overtake each other and come twice. */
    public void shuffle(RandomGenerator random) { chaos = random; }

    /** From now on this part of the messages to all is lost. */
    public void lose(double part) { lossOfBatches = part; }

    public Transport transport(String name) { return new Port(NodeId.of(name)); }

    /** All members see each other, or only those of their own part; parts that met are named. */
    public synchronized void split(List<List<String>> parts) {
        for (List<String> part : parts) {
            List<NodeId> members = part.stream().map(NodeId::of).toList();
            for (NodeId member : members) tell(member, members, List.of());
        }
    }

    /** Everybody sees everybody again. */
    public synchronized void heal(List<List<String>> parts) {
        List<NodeId> members = new ArrayList<>(ports.keySet());
        List<NodeId> firsts = parts.stream().map(part -> NodeId.of(part.getFirst())).toList();
        for (NodeId member : members) tell(member, members, firsts);
    }

    /** Without a word to itself: what a crash looks like to the others. */
    public synchronized void crash(String name) {
        Port gone = ports.remove(NodeId.of(name));
        if (gone != null) gone.thread.interrupt();
        viewToAll();
    }

    private synchronized void join(Port port) {
        ports.put(port.local, port);
        port.thread.start();
        viewToAll();
    }

    private synchronized void leave(Port port) {
        if (ports.remove(port.local, port)) viewToAll();
        port.thread.interrupt();
    }

    private void viewToAll() {
        List<NodeId> members = List.copyOf(ports.keySet());
        for (NodeId member : members) tell(member, members, List.of());
    }

    private void tell(NodeId to, List<NodeId> members, List<NodeId> parts) {
        Port port = ports.get(to);
        if (port == null) return;
        port.members = members;
        View view = new View(++views, to, members);
        port.post(() -> port.receiver().onMembership(new Transport.Membership(view, parts, "")));
    }

    private synchronized void deliver(Port from, @Nullable NodeId to, byte[] message) {
        RandomGenerator random = chaos;
        if (to == null && lossOfBatches > 0 && random != null && random.nextDouble() < lossOfBatches) return;
        for (Port port : ports.values()) {
            if (port == from || (to != null && !port.local.equals(to)) || !from.members.contains(port.local)) continue;
            Runnable delivery = () -> port.receiver().onMessage(from.local, message, 0, message.length);
            port.post(delivery);
            if (random == null || to != null) continue;
            if (random.nextInt(4) == 0) port.post(delivery);
            if (random.nextInt(4) == 0) port.delayLast();
        }
    }

    private final class Port implements Transport {
        final NodeId local;
        final LinkedBlockingQueue<Runnable> queue = new LinkedBlockingQueue<>();
        final Thread thread = Thread.ofPlatform().daemon().unstarted(this::run);
        volatile List<NodeId> members = List.of();
        private volatile @Nullable Receiver receiver;
        private @Nullable Runnable delayed;

        Port(NodeId local) { this.local = local; }

        Receiver receiver() { return java.util.Objects.requireNonNull(receiver); }

        void post(Runnable delivery) {
            queue.add(delivery);
            postDelayed();
        }

        private void postDelayed() {
            Runnable late;
            synchronized (MemoryNetwork.this) {
                late = delayed;
                delayed = null;
            }
            if (late != null) queue.add(late);
        }

        void delayLast() {
            Runnable[] waiting = queue.toArray(new Runnable[0]);
            if (waiting.length == 0 || delayed != null) return;
            Runnable last = waiting[waiting.length - 1];
            if (queue.remove(last)) delayed = last;
        }

        private void run() {
            try {
                while (true) {
                    Runnable next = queue.poll(LONGEST_DELAY_MS, TimeUnit.MILLISECONDS);
                    if (next == null) postDelayed();
                    else
                        next.run();
                }
            } catch (InterruptedException e) {
                queue.clear();
            }
        }

        @Override
        public void start(Receiver to) {
            receiver = to;
            join(this);
        }

        @Override
        public void sendToAll(byte[] bytes, int offset, int length) throws ClusterException {
            deliver(this, null, java.util.Arrays.copyOfRange(bytes, offset, offset + length));
        }

        @Override
        public void sendTo(NodeId peer, byte[] bytes, int offset, int length) throws ClusterException {
            deliver(this, peer, java.util.Arrays.copyOfRange(bytes, offset, offset + length));
        }

        @Override
        public void sendHint(NodeId peer, byte[] bytes, int offset, int length) {
            deliver(this, peer, java.util.Arrays.copyOfRange(bytes, offset, offset + length));
        }

        @Override
        public void close() { leave(this); }
    }
}
