package io.ambo.node.redirect;

import com.google.protobuf.ByteString;
import io.ambo.cluster.Cluster;
import io.ambo.cluster.RedirectListener;
import io.ambo.cluster.address.IpAddress;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.replication.Wakeup;
import io.ambo.cluster.session.SessionKey;
import io.ambo.proto.sync.RedirectHello;
import io.ambo.proto.sync.RedirectTo;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import org.agrona.DirectBuffer;
import org.agrona.MutableDirectBuffer;
import org.agrona.concurrent.MessageHandler;
import org.agrona.concurrent.UnsafeBuffer;
import org.agrona.concurrent.ringbuffer.ManyToOneRingBuffer;
import org.agrona.concurrent.ringbuffer.RingBufferDescriptor;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.jspecify.annotations.Nullable;

/**
 * What members tell each other of whose packets are: takes it from the workers by a ring, sends it as small messages of the sync link, and hands what others tell
 * to the flow keeper. A message that is lost, or finds the ring full, comes again with the next packet. A thread of its own, {@code ambo-redirect}.
 */
public final class RedirectTeller implements RedirectListener, AutoCloseable {
    private static final Logger LOG = LogManager.getLogger();
    private static final int RING_BYTES = 128 * 1024;
    private static final int TOLD = 1;
    private static final int KEY = 8;
    private static final int PER_TURN = 64;
    private static final int CLOSE_MS = 2000;
    private static final long LONGEST_SLEEP_NS = 100_000_000;

    /** Whose packets with some ends are, as the flow cache notes it. Any thread. */
    public interface Notes {
        void learn(SessionKey ends, int owner);

        /** The owner says that it is not, or (0) this node knows better. */
        void unlearn(SessionKey ends, int owner);
    }

    private final Cluster cluster;
    private final Redirects redirects;
    private final Notes notes;
    private final CounterBank<RedirectCounter>.Row sent;
    private final CounterBank<RedirectCounter>.Row heard;
    private final ManyToOneRingBuffer ring = new ManyToOneRingBuffer(
            new UnsafeBuffer(ByteBuffer.allocateDirect(RING_BYTES + RingBufferDescriptor.TRAILER_LENGTH)));
    private final SessionKey key = new SessionKey();
    private final MessageHandler onTold = this::send;
    private final Wakeup wakeup = new Wakeup();
    private final Thread thread = Thread.ofPlatform().name("ambo-redirect").daemon().unstarted(this::run);
    private volatile boolean running = true;

    public RedirectTeller(Cluster cluster, Redirects redirects, Notes notes) {
        this.cluster = cluster;
        this.redirects = redirects;
        this.notes = notes;
        sent = redirects.counters().newRow();
        heard = redirects.counters().newRow();
    }

    public void start() {
        cluster.onRedirects(this);
        thread.start();
    }

    /** A worker. */
    public void tell(int member, SessionKey ends, boolean isOwner) {
        int index = ring.tryClaim(TOLD, KEY + SessionKey.SIZE);
        if (index < 0) return;
        ring.buffer().putInt(index, member);
        ring.buffer().putInt(index + 4, isOwner ? 1 : 0);
        put(ends, ring.buffer(), index + KEY);
        ring.commit(index);
        wakeup.signal();
    }

    private void run() {
        while (running) {
            try {
                if (ring.read(onTold, PER_TURN) == 0) wakeup.await(() -> !running || ring.size() > 0, LONGEST_SLEEP_NS);
            } catch (RuntimeException failed) {
                LOG.error("A member could not be told whose packets are", failed);
            }
        }
    }

    private void send(int type, MutableDirectBuffer buffer, int index, int length) {
        NodeId member = member(buffer.getInt(index));
        if (member == null) return;
        get(buffer, index + KEY, key);
        RedirectTo told = RedirectTo.newBuilder().setLowAddress(address(false)).setHighAddress(address(true)).setLowPort(key.port(false))
                .setHighPort(key.port(true)).setProtocol(key.protocol()).setOwner(buffer.getInt(index + 4) != 0).build();
        cluster.sendRedirectTo(member, told);
        sent.increment(RedirectCounter.TOLD);
    }

    private ByteString address(boolean high) {
        return ByteString.copyFrom(new IpAddress(key.addressHigh(high), key.addressLow(high)).toBytes());
    }

    /** Writes a key into a message of a ring. */
    public static void put(SessionKey session, MutableDirectBuffer into, int at) {
        for (int i = 0; i < SessionKey.SIZE; i += Long.BYTES)
            into.putLong(at + i, session.segment().get(ValueLayout.JAVA_LONG_UNALIGNED, session.offset() + i));
    }

    /** Reads one. */
    public static void get(DirectBuffer from, int at, SessionKey into) {
        for (int i = 0; i < SessionKey.SIZE; i += Long.BYTES)
            into.segment().set(ValueLayout.JAVA_LONG_UNALIGNED, into.offset() + i, from.getLong(at + i));
    }

    private @Nullable NodeId member(int node) {
        for (NodeId each : cluster.view().members()) if (each.value() == node) return each;
        return null;
    }

    @Override
    public void onHello(NodeId peer, RedirectHello hello) { redirects.onHello(peer, hello); }

    @Override
    public void onRedirectTo(NodeId peer, RedirectTo told) {
        IpAddress low = IpAddress.ofBytes(told.getLowAddress().toByteArray());
        IpAddress high = IpAddress.ofBytes(told.getHighAddress().toByteArray());
        boolean sound = low != null && high != null && (told.getLowPort() | told.getHighPort()) >>> 16 == 0
                && told.getProtocol() >>> 8 == 0;
        if (!sound || low == null || high == null) return;
        SessionKey ends = new SessionKey();
        ends.set(low.high(), low.low(), told.getLowPort(), high.high(), high.low(), told.getHighPort(), told.getProtocol(), 0);
        synchronized (heard) {
            heard.increment(told.getOwner() ? RedirectCounter.LEARNT : RedirectCounter.UNLEARNT);
        }
        if (told.getOwner()) notes.learn(ends, peer.value());
        else
            notes.unlearn(ends, peer.value());
    }

    @Override
    public void close() {
        running = false;
        wakeup.signal();
        try {
            thread.join(CLOSE_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
