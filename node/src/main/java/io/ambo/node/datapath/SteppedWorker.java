package io.ambo.node.datapath;

import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.replication.DeltaPublisher;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.time.Clock;
import io.ambo.node.config.Config;
import io.ambo.node.firewall.PassedSyns;
import io.ambo.node.firewall.Policy;
import io.ambo.node.firewall.PolicyCompiler;
import io.ambo.node.firewall.SessionCounts;
import io.ambo.node.packet.DropReason;
import io.ambo.node.redirect.Geneve;
import io.ambo.node.redirect.HandedFrame;
import io.ambo.node.routing.Routes;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * The slow path of one node without sockets, threads and a fast path: frames go in, frames come out, and time passes when its owner says so. What decides is
 * what decides in a {@link Worker} and a {@link Keeper}; {@code ambo oracle} and the simulation run their nodes with it. One thread.
 *
 * <pre>
 *   clock forward;  worker.tick();  worker.receive(label, port, frame) ...;  worker.onTimers()
 * </pre>
 *
 * <p>The owner names each frame by a label, and is told by it what became of the frame: see {@link Fates}.
 */
public final class SteppedWorker {
    /** The label of frames that the node sends of its own accord. */
    public static final long NOBODY = -1;
    private static final int HEADROOM = 256;
    /** Rules that log have nobody to tell: once the ring is full, nothing is kept. */
    private static final FirewallLog SILENT = silent();

    /** What the node is to its cluster. */
    public interface Membership {
        int nodeId();

        /** The next reading of the hybrid logical clock. */
        long created();

        boolean hasPeers();

        /** See {@link io.ambo.cluster.Cluster#owns}. */
        boolean owns(SessionKey key, SessionRecord session);

        boolean inView(int nodeId);

        DeltaPublisher publisher();

        default StrayOutlet strays() { return StrayOutlet.NONE; }

        default Redirection redirection() { return Redirection.NONE; }
    }

    /** What became of frames. A frame of which nothing is told waits inside: for its delta, its neighbour, its peer, or its first fragment. */
    public interface Fates {
        /**
         * A frame leaves: the one with this label, a fragment of it, or an answer to its sender ({@link SteppedWorker#NOBODY}: an RST of a session that timed
         * out). Told before the next one of these.
         */
        void onSent(long label, int port, byte[] frame);

        void onDropped(long label, DropReason reason);

        /** It was handed to a peer. */
        void onHandedOver(long label);
    }

    private final Clock clock;
    private final SessionTable sessions;
    private final Fates fates;
    private final CounterBank<DropReason> drops = new CounterBank<>(DropReason.class);
    private final CounterBank<NodeCounter> counters = new CounterBank<>(NodeCounter.class);
    private final Memory io;
    private final PacketPipeline pipeline;
    private final Keeper keeper;

    /**
     * Packet memory. A frame that finds none is dropped as {@link DropReason#NO_FRAME}.
     *
     * @param frames       at once inside
     * @param longestFrame bytes
     */
    public record Room(int frames, int longestFrame) {
        /** Enough for traffic that is not made to fill it, of Ethernet's usual size. */
        public static final Room USUAL = new Room(512, 2048 - HEADROOM);
    }

    /**
     * @param config its rules, translations, timeouts and limits count, and the place of node.name among cluster.members; interfaces are the routes' affair
     * @param fates  is told on the caller's thread, from within the methods below
     */
    public SteppedWorker(Config config, Routes routes, SessionTable sessions, Membership membership, Clock clock, Room room,
            Fates fates) {
        io = new Memory(room);
        this.clock = clock;
        this.sessions = sessions;
        this.fates = fates;
        Policy policy = PolicyCompiler.compile(config);
        SessionCounts counts = new SessionCounts(membership.nodeId());
        WorkerContext.Identity identity = new WorkerContext.Identity() {
            @Override
            public int nodeId() { return membership.nodeId(); }

            @Override
            public long created() { return membership.created(); }
        };
        Keeper.Owners owners = new Keeper.Owners() {
            @Override
            public boolean owns(SessionKey key, SessionRecord session) { return membership.owns(key, session); }

            @Override
            public boolean inView(int nodeId) { return membership.inView(nodeId); }
        };
        StrayOutlet strays = membership.strays();
        pipeline = new PacketPipeline(new WorkerContext(io, routes, sessions, membership.publisher(),
                (endsHash, zone, opens, memory, ip, length) -> io.handOver(strays, endsHash, zone, opens, ip, length),
                membership.redirection(),
                FastPath.NONE, counts, new PassedSyns(),
                identity,
                membership::hasPeers, drops.newRow(), counters.newRow(), Datapath.limits(config), SILENT), policy);
        keeper = new Keeper(sessions, membership.publisher(), counts, identity, owners, clock, pipeline::reset, FastPath.NONE,
                counters.newRow(), policy);
        tick();
    }

    /** Reads the clock. Whatever is called next happens then. */
    public void tick() { pipeline.tick(clock.monotonicNs()); }

    /** A frame comes in. */
    public void receive(long label, int port, byte[] frame) {
        long at = io.take(label, frame);
        if (at < 0) return;
        pipeline.process(at, frame.length, port);
        io.settle();
    }

    /** A peer handed over a frame that came from this zone there. */
    public void receiveStray(long label, int zone, byte[] frame) {
        receiveHanded(label, zone, Geneve.FINAL, 0, 0, frame);
    }

    /**
     * The same in redirect mode.
     *
     * @param hops    see {@link Geneve}
     * @param ingress the member that it came in at
     * @param sender  the member that hands it over
     */
    public void receiveHanded(long label, int zone, int hops, int ingress, int sender, byte[] frame) {
        long at = io.take(label, frame);
        if (at < 0) return;
        long handed = HandedFrame.overwrite(io.memory(), at, zone, hops, ingress, sender);
        pipeline.processHanded(handed, frame.length - (int) (handed - at));
        io.settle();
    }

    /** True while a stray waits for its delta. */
    public boolean awaitsDeltas() { return pipeline.awaitsDeltas(); }

    /** A delta of this session was merged into the table. */
    public void onDeltaApplied(SessionKey key) {
        pipeline.onDeltaApplied(key.hash());
        SessionRecord session = new SessionRecord();
        if (sessions.claims() > 0 && sessions.read(key, session) && session.has(SessionRecord.TRANSLATED)) {
            SessionKey ends = new SessionKey();
            session.writeTranslatedKey(key, ends);
            pipeline.onDeltaApplied(ends.hash());
        }
        io.settle();
    }

    /** A peer has merged what was published with this ticket. */
    public void onAcknowledged(long ticket) {
        pipeline.onAcknowledged(ticket);
        io.settle();
    }

    /** Releases what has waited long enough. @return frames released */
    public int onTimers() {
        int released = pipeline.onTimers();
        io.settle();
        return released;
    }

    /** Nanoseconds until {@link #onTimers} has something to do; Long.MAX_VALUE: nothing waits. */
    public long nextTimerInNs() {
        return pipeline.nextTimerInNs();
    }

    /** A turn of the keeper: a hundred of them sweep the whole table. Once every 10 ms is its usual pace. */
    public void sweep() {
        keeper.doWork();
        io.settle();
    }

    /** From now on this config decides; sessions that it forbids end with the next packet or sweep. */
    public void policy(Config config) {
        Policy policy = PolicyCompiler.compile(config);
        pipeline.policy(policy);
        keeper.policy(policy);
    }

    public CounterBank<DropReason> drops() { return drops; }

    public CounterBank<NodeCounter> counters() { return counters; }

    private static FirewallLog silent() {
        FirewallLog log = new FirewallLog(Integer::toString, 0);
        log.close();
        return log;
    }

    /** Packet memory that remembers whose each frame is. */
    private final class Memory implements PacketIo {
        private final MemorySegment memory;
        private final int frameSize;
        private final long[] labels;
        private final int[] free;
        private int freeCount;
        private final long[] dropsSeen = new long[DropReason.values().length];
        private final List<Own> own = new ArrayList<>();
        private boolean handedOver;

        /** A frame that the node made: on whose account is known when it is done with that frame. */
        @SuppressWarnings("ArrayRecordComponent") // never compared
        private record Own(int port, byte[] frame) {}

        Memory(Room room) {
            frameSize = (room.longestFrame() + HEADROOM + 63) / 64 * 64;
            memory = Arena.ofAuto().allocate((long) room.frames() * frameSize, 64);
            labels = new long[room.frames()];
            free = new int[room.frames()];
            while (freeCount < free.length) free[freeCount] = free.length - 1 - freeCount++;
        }

        /** Copies a frame in. @return -1: there is no room, and that has been told */
        private long take(long label, byte[] frame) {
            if (frame.length > frameCapacity())
                throw new IllegalArgumentException("a frame of " + frame.length + " bytes: the worker was made for " + frameCapacity());
            long at = takeFrame();
            if (at < 0) {
                pipeline.onNoFrame();
                fates.onDropped(label, newDrop());
                return at;
            }
            labels[index(at)] = label;
            MemorySegment.copy(frame, 0, memory, ValueLayout.JAVA_BYTE, at, frame.length);
            return at;
        }

        private boolean handOver(StrayOutlet strays, long endsHash, int zone, boolean opens, long ip, int length) {
            handedOver = strays.send(endsHash, zone, opens, memory, ip, length);
            return handedOver;
        }

        /** After each call into the pipeline: what was made on nobody's account. */
        private void settle() { tellOwn(NOBODY); }

        private void tellOwn(long label) {
            if (own.isEmpty()) return;
            List<Own> told = List.copyOf(own);
            own.clear();
            for (Own each : told) fates.onSent(label, each.port(), each.frame());
        }

        @Override
        public MemorySegment memory() { return memory; }

        @Override
        public long takeFrame() {
            if (freeCount == 0) return -1;
            int index = free[--freeCount];
            labels[index] = NOBODY;
            return (long) index * frameSize + HEADROOM;
        }

        @Override
        public void giveFrame(long frame) {
            long label = release(frame);
            if (label == NOBODY) return;
            tellOwn(label);
            DropReason reason = newDrop();
            boolean left = handedOver;
            handedOver = false;
            if (reason != DropReason.NONE) fates.onDropped(label, reason);
            else if (left) fates.onHandedOver(label);
        }

        @Override
        public boolean transmit(int port, long frame, int length) {
            byte[] bytes = memory.asSlice(frame, length).toArray(ValueLayout.JAVA_BYTE);
            long label = release(frame);
            if (label == NOBODY) {
                own.add(new Own(port, bytes));
                return true;
            }
            tellOwn(label);
            fates.onSent(label, port, bytes);
            return true;
        }

        @Override
        public int frameCapacity() { return frameSize - HEADROOM; }

        private int index(long frame) { return (int) (frame / frameSize); }

        private long release(long frame) {
            int index = index(frame);
            free[freeCount++] = index;
            return labels[index];
        }

        /** The reason that has been counted since the last call. */
        private DropReason newDrop() {
            DropReason found = DropReason.NONE;
            for (DropReason reason : DropReason.values()) {
                long total = drops.total(reason);
                if (total > dropsSeen[reason.ordinal()]) found = reason;
                dropsSeen[reason.ordinal()] = total;
            }
            return found;
        }
    }
}
