package io.ambo.node.datapath;

import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.time.Clock;
import io.ambo.node.firewall.Policy;
import io.ambo.node.io.FrameBatch;
import io.ambo.node.io.Poller;
import io.ambo.node.io.Umem;
import io.ambo.node.io.XskSocket;
import io.ambo.node.redirect.HandedFrame;
import io.ambo.node.redirect.RedirectSocket;
import io.ambo.node.sys.Errno;
import io.ambo.node.sys.Scheduling;
import io.ambo.node.sys.SysException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import org.agrona.concurrent.ManyToOneConcurrentArrayQueue;
import org.agrona.concurrent.MessageHandler;
import org.agrona.concurrent.UnsafeBuffer;
import org.agrona.concurrent.ringbuffer.ManyToOneRingBuffer;
import org.agrona.concurrent.ringbuffer.RingBufferDescriptor;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/**
 * A packet thread: owns the sockets of its receive queues, their packet memory, and a {@link PacketPipeline}. A duty cycle: clock, messages, a burst from
 * each socket, timers, transmit; then it spins for a moment and blocks.
 *
 * <p>Other threads reach it by messages only: numbers through a ring ({@link #onDeltaApplied}, {@link #onAcknowledged}), rare commands through a queue
 * ({@link #post}).
 */
final class Worker implements PacketIo, AutoCloseable {
    private static final Logger LOG = LogManager.getLogger();
    static final int ANY_CPU = -1;
    private static final int BURST = 64;
    private static final int MESSAGES_PER_TURN = 256;
    private static final int RING_BYTES = 256 * 1024;
    private static final int DELTA_APPLIED = 1;
    private static final int ACKNOWLEDGED = 2;
    private static final long LONGEST_BLOCK_NS = 100_000_000;
    private static final long LOSSES_INTERVAL_NS = 1_000_000_000;

    /** A socket and the port it stands for. */
    private record Lane(int port, XskSocket socket, XskSocket.Statistics counted) {}

    private final String name;
    private final int cpu;
    private final Clock clock;
    private final Umem umem;
    private final Poller poller;
    private final FrameBatch batch = new FrameBatch(BURST);
    private final ManyToOneRingBuffer messages;
    private final RedirectSocket redirected;
    private final ManyToOneConcurrentArrayQueue<Consumer<PacketPipeline>> commands = new ManyToOneConcurrentArrayQueue<>(1024);
    private final MessageHandler onMessage;
    private final PacketPipeline pipeline;
    private final CountDownLatch ended = new CountDownLatch(1);
    private final Thread thread;
    /** By position: in order of opening. The first of a port sends its packets. */
    private Lane[] lanes = new Lane[0];
    private XskSocket[] transmitters = new XskSocket[0];
    private final CounterBank<NodeCounter>.Row counters;
    private final XskSocket.Statistics statistics = new XskSocket.Statistics();
    private long lossesCountedNs;
    private volatile boolean running = true;

    /**
     * Makes the thread, without sockets yet: see {@link #addSocket}.
     *
     * @param cpu   processor that the thread runs on, or {@link #ANY_CPU}
     * @param parts what the pipeline needs, once this worker's packet memory is known
     */
    Worker(int number, int cpu, Clock clock, Umem umem, int maxSockets, RedirectSocket redirected, CounterBank<NodeCounter>.Row counters,
            Function<PacketIo, PacketPipeline> parts) {
        this.counters = counters;
        this.cpu = cpu;
        name = "ambo-worker-" + number;
        this.clock = clock;
        this.umem = umem;
        poller = Poller.open(maxSockets);
        ByteBuffer ring = ByteBuffer.allocateDirect(RING_BYTES + RingBufferDescriptor.TRAILER_LENGTH);
        messages = new ManyToOneRingBuffer(new UnsafeBuffer(ring));
        this.redirected = redirected;
        poller.add(redirected.fd());
        pipeline = parts.apply(this);
        onMessage = (type, buffer, index, length) -> {
            long value = buffer.getLong(index);
            if (type == DELTA_APPLIED) pipeline.onDeltaApplied(value);
            else
                pipeline.onAcknowledged(value);
        };
        thread = Thread.ofPlatform().name(name).unstarted(this::run);
    }

    void start() { thread.start(); }

    /** Opens a socket for a queue, on this worker's thread, and hands it to the consumer there. */
    void addSocket(int port, int interfaceIndex, int queue, int ringSize, Consumer<XskSocket> opened) {
        post(ignored -> {
            removeLane(port, queue);
            XskSocket socket = XskSocket.open(umem, interfaceIndex, queue, ringSize, XskSocket.Copying.AUTO);
            List<Lane> all = new ArrayList<>(List.of(lanes));
            all.add(new Lane(port, socket, new XskSocket.Statistics()));
            use(all);
            poller.add(socket);
            opened.accept(socket);
        });
    }

    /** Closes the sockets of a port whose device is gone. */
    void removePort(int port) { post(ignored -> removeLane(port, -1)); }

    void policy(Policy policy) { post(pipeline -> pipeline.policy(policy)); }

    /** Waits until the commands posted before have been carried out. */
    void awaitCommands() {
        CountDownLatch done = new CountDownLatch(1);
        post(ignored -> done.countDown());
        try {
            if (!done.await(10, TimeUnit.SECONDS)) LOG.error("{} has not answered for 10 seconds", name);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Both ends of a session that timed out are to be told. */
    void reset(ResetCommand command) {
        post(pipeline -> pipeline.reset(command));
    }

    /** Something the worker waits for may have changed. Any thread. */
    void wakeUp() { poller.wakeUp(); }

    /** Somebody waits here for a delta. Any thread. */
    boolean awaitsDeltas() { return pipeline.awaitsDeltas(); }

    /** A delta of the session with this key hash was applied. Any thread; a full ring is counted, the strays then wait for their deadline. */
    boolean onDeltaApplied(long keyHash) {
        return send(DELTA_APPLIED, keyHash);
    }

    /** A peer has what was published with this ticket. Any thread. */
    boolean onAcknowledged(long ticket) {
        return send(ACKNOWLEDGED, ticket);
    }

    /** Takes what other members have handed over. @return packets */
    private int takeRedirected() {
        int taken = 0;
        while (taken < BURST) {
            long frame = umem.allocate();
            // What waits for one waits in the socket, which is bounded.
            if (frame < 0) return taken;
            int length = redirected.receive(umem.segment(), frame, Umem.MAX_FRAME_LENGTH);
            if (length <= 0) {
                umem.free(frame);
                if (length == 0) return taken;
            } else {
                pipeline.processHanded(frame, length);
            }
            taken++;
        }
        return taken;
    }

    /** What the kernel lost on the way to this worker, it tells when it is asked. */
    private void countLosses(Lane lane) {
        try {
            lane.socket().readStatistics(statistics);
        } catch (SysException unknown) {
            // Not worth a worker.
            return;
        }
        XskSocket.Statistics counted = lane.counted();
        counters.add(NodeCounter.RECEIVE_RING_FULL, statistics.receiveRingFull - counted.receiveRingFull);
        counters.add(NodeCounter.RECEIVE_NO_FRAME, statistics.receiveDropped - counted.receiveDropped);
        counted.receiveRingFull = statistics.receiveRingFull;
        counted.receiveDropped = statistics.receiveDropped;
    }

    /** One turn. @return how much was done */
    private int doWork() {
        long nowNs = clock.monotonicNs();
        if (nowNs - lossesCountedNs >= LOSSES_INTERVAL_NS) {
            lossesCountedNs = nowNs;
            for (Lane lane : lanes) countLosses(lane);
        }
        pipeline.tick(nowNs);
        int work = messages.read(onMessage, MESSAGES_PER_TURN) + runCommands();
        for (Lane lane : lanes) {
            XskSocket socket = lane.socket();
            work += socket.reclaimCompleted();
            int received = socket.receive(batch);
            if (received > 1 && lane.port() != HandedFrame.PORT) pipeline.foresee(batch);
            for (int i = 0; i < received; i++) {
                if (lane.port() == HandedFrame.PORT) pipeline.processHanded(batch.address(i), batch.length(i));
                else
                    pipeline.process(batch.address(i), batch.length(i), lane.port());
            }
            work += received;
        }
        work += takeRedirected();
        work += pipeline.onTimers();
        for (Lane lane : lanes) {
            lane.socket().flush();
            lane.socket().refill();
        }
        return work;
    }

    private void run() {
        try {
            if (cpu != ANY_CPU) pin();
            while (running) {
                int work = doWork();
                poller.idle(work, Math.min(pipeline.nextTimerInNs(), LONGEST_BLOCK_NS));
            }
        } catch (Throwable broken) {
            // A worker that does not understand its own state must not go on: the process ends and the peer takes over.
            LOG.fatal("{} found a broken invariant and ends the node", name, broken);
            Runtime.getRuntime().halt(70);
        } finally {
            for (Lane lane : lanes) lane.socket().close();
            redirected.close();
            ended.countDown();
        }
    }

    /** The check of the config has found the processor. It may have gone since, which is no reason to forward nothing. */
    private void pin() {
        int errno = Scheduling.pinThisThread(cpu);
        if (errno != 0) LOG.error("{} runs anywhere: processor {} of datapath.cpus cannot be had ({})", name, cpu, Errno.text(errno));
    }

    private int runCommands() {
        int done = 0;
        for (Consumer<PacketPipeline> command = commands.poll(); command != null; command = commands.poll()) {
            try {
                command.accept(pipeline);
            } catch (io.ambo.node.sys.SysException failed) {
                LOG.error("{}: {}", name, failed.getMessage());
            }
            done++;
        }
        return done;
    }

    private void post(Consumer<PacketPipeline> command) {
        if (!commands.offer(command)) LOG.error("{} does not take commands: its queue of {} is full", name, commands.capacity());
        poller.wakeUp();
    }

    private boolean send(int type, long value) {
        int index = messages.tryClaim(type, Long.BYTES);
        if (index < 0) return false;
        messages.buffer().putLong(index, value);
        messages.commit(index);
        poller.wakeUp();
        return true;
    }

    private void removeLane(int port, int queue) {
        List<Lane> kept = new ArrayList<>();
        for (Lane lane : lanes) {
            if (lane.port() == port && (queue < 0 || lane.socket().queue() == queue)) {
                poller.remove(lane.socket());
                lane.socket().close();
            } else {
                kept.add(lane);
            }
        }
        use(kept);
    }

    private void use(List<Lane> all) {
        lanes = all.toArray(Lane[]::new);
        int ports = 0;
        for (Lane lane : lanes) ports = Math.max(ports, lane.port() + 1);
        transmitters = new XskSocket[ports];
        for (int i = lanes.length - 1; i >= 0; i--) transmitters[lanes[i].port()] = lanes[i].socket();
    }

    // PacketIo: the pipeline's view of this worker

    @Override
    public MemorySegment memory() { return umem.segment(); }

    @Override
    public long takeFrame() { return umem.allocate(); }

    @Override
    public void giveFrame(long frame) { umem.free(frame); }

    @Override
    public int frameCapacity() { return Umem.MAX_FRAME_LENGTH; }

    @Override
    @SuppressWarnings("ReferenceEquality")
    public boolean transmit(int port, long frame, int length) {
        if (port < 0 || port >= transmitters.length) return false;
        XskSocket socket = transmitters[port];
        return socket != null && socket.transmit(frame, length);
    }

    /** Ends the thread and closes its sockets and memory. */
    @Override
    public void close() {
        running = false;
        poller.wakeUp();
        if (thread.isAlive()) {
            try {
                ended.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        poller.close();
        umem.close();
    }
}
