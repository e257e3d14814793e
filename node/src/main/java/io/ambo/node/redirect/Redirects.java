package io.ambo.node.redirect;

import com.google.protobuf.ByteString;
import io.ambo.cluster.ClusterException;
import io.ambo.cluster.ClusterKey;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.time.Clock;
import io.ambo.proto.sync.RedirectHello;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.random.RandomGenerator;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.jspecify.annotations.Nullable;

/**
 * Who takes redirected packets, where, and by what they are known. Each member says it of itself over the sealed sync link ({@link RedirectHello}): when the
 * membership changes, and every few seconds. A key is derived from the cluster's key and the sender's salt, which is new with each start; so no datagram of an
 * earlier run counts.
 *
 * <p>Threads: the cluster's, which tell; workers, which look; and one of its own that says hello.
 */
public final class Redirects implements AutoCloseable {
    private static final Logger LOG = LogManager.getLogger();
    private static final int SALT = 16, KEY = 16;
    private static final String WORKER_PURPOSE = "ambo redirect 1 worker", KERNEL_PURPOSE = "ambo redirect 1 kernel";
    private static final long HELLO_MS = 5_000, HELLO_PAUSE_MS = 50;

    /** The cluster's {@link io.ambo.cluster.Cluster#sendRedirectHello}. */
    @FunctionalInterface
    public interface HelloSender {
        void send(RedirectHello hello) throws ClusterException;
    }

    private final ClusterKey clusterKey;
    private final NodeId local;
    private final InetAddress bindAddress;
    private final int port;
    private final long keepMs;
    private final Clock clock;
    private final CounterBank<RedirectCounter> counters = new CounterBank<>(RedirectCounter.class);
    private final byte[] salt;
    private final Thread thread = Thread.ofPlatform().name("ambo-redirect-hello").daemon().unstarted(this::run);
    private final ReentrantLock lock = new ReentrantLock();
    private final Semaphore wanted = new Semaphore(0);
    private final AtomicLong sequence = new AtomicLong();
    /** Members that have left, and when: what their kernels go on sending counts for a while. Guarded by the lock. */
    private final Map<Integer, Long> leftAtMs = new HashMap<>();

    final MemorySegment address;
    final long key0;
    final long key1;
    private volatile RedirectPeer[] peers = {};
    private volatile KernelLane kernelLane = KernelLane.NONE;
    private volatile byte[] kernelSalt = {};
    private volatile @Nullable HelloSender hellos;
    private volatile boolean running = true;
    private volatile int linkMtu = Integer.MAX_VALUE;
    private View view;

    /**
     * @param bindAddress this host's, on the sync link
     * @param keepMs      how long a member's kernel may go on without the member
     */
    public Redirects(ClusterKey clusterKey, NodeId local, InetAddress bindAddress, int port, long keepMs, Clock clock,
            RandomGenerator random) {
        this.clusterKey = clusterKey;
        this.local = local;
        this.bindAddress = bindAddress;
        this.port = port;
        this.keepMs = keepMs;
        this.clock = clock;
        salt = new byte[SALT];
        random.nextBytes(salt);
        byte[] key = clusterKey.derive(salt, WORKER_PURPOSE, KEY);
        key0 = RedirectPeer.word(key, 0);
        key1 = RedirectPeer.word(key, 1);
        address = RedirectPeer.mapped(bindAddress);
        view = new View(0, local, java.util.List.of(local));
    }

    public NodeId local() { return local; }

    public InetAddress bindAddress() { return bindAddress; }

    public int port() { return port; }

    /** Bytes that a packet grows by on its way to another member. */
    public int overhead() {
        return Geneve.SIZE + 8 + (bindAddress.getAddress().length == Geneve.ADDRESS ? 40 : 20);
    }

    public CounterBank<RedirectCounter> counters() { return counters; }

    /** Half of a key, as the hash takes it. */
    public static long keyWord(byte[] key, int index) { return RedirectPeer.word(key, index); }

    /** Key of a kernel's lane. */
    public byte[] kernelKey(byte[] ofSalt) { return clusterKey.derive(ofSalt, KERNEL_PURPOSE, KEY); }

    /** The kernel takes part from now on. */
    public void kernelLane(KernelLane lane, byte[] ownSalt) {
        lock.lock();
        try {
            kernelSalt = ownSalt.clone();
            kernelLane = lane;
            for (RedirectPeer peer : peers) tell(lane, peer);
        } finally {
            lock.unlock();
        }
        sayHello();
    }

    /** From now on the members hear of this node. */
    public void start(HelloSender sender) {
        hellos = sender;
        thread.start();
    }

    /** A socket for one worker; closed by it. */
    public RedirectSocket newSocket() { return new RedirectSocket(this, counters.newRow()); }

    long nextSequence() { return sequence.incrementAndGet(); }

    /** @return null when the member has not said anything yet, or is none */
    @Nullable
    RedirectPeer peer(int node) {
        RedirectPeer[] known = peers;
        for (int i = 0; i < known.length; i++) if (known[i].id.value() == node) return known[i];
        return null;
    }

    /** A member has said how it takes packets. Any thread. */
    public void onHello(NodeId member, RedirectHello hello) {
        InetAddress said = address(hello.getAddress());
        boolean sound = said != null && said.getAddress().length == bindAddress.getAddress().length && hello.getPort() > 0
                && hello.getPort() <= 0xFFFF && hello.getSalt().size() == SALT
                && (hello.getKernelSalt().isEmpty() || hello.getKernelSalt().size() == SALT);
        if (!sound || said == null) {
            LOG.warn("{} says of itself what cannot be ({} bytes of address, port {}): its version may be another", member,
                    hello.getAddress().size(), hello.getPort());
            return;
        }
        lock.lock();
        try {
            byte[] saltOfPeer = hello.getSalt().toByteArray();
            RedirectPeer before = peer(member.value());
            boolean sameRun = before != null && java.util.Arrays.equals(before.salt, saltOfPeer);
            ReplayWindow window = sameRun && before != null ? before.window : new ReplayWindow();
            RedirectPeer now = new RedirectPeer(member, said, hello.getPort(), saltOfPeer,
                    clusterKey.derive(saltOfPeer, WORKER_PURPOSE, KEY), window, hello.getKernelSalt().toByteArray(), hello.getKernel());
            if (before != null && before.saysTheSame(now)) return;
            replace(now);
            tell(kernelLane, now);
        } finally {
            lock.unlock();
        }
        sayHello();
    }

    /** The membership has changed. Any thread. */
    public void onView(View now) {
        lock.lock();
        try {
            View before = view;
            view = now;
            long nowMs = clock.monotonicMs();
            for (RedirectPeer peer : peers) {
                int node = peer.id.value();
                if (now.contains(node)) {
                    leftAtMs.remove(node);
                    // Its hello may have come before the view that it is in.
                    if (!before.contains(node)) tell(kernelLane, peer);
                } else if (leftAtMs.putIfAbsent(node, nowMs) == null) {
                    kernelLane.sendNoMoreTo(node);
                }
            }
        } finally {
            lock.unlock();
        }
        sayHello();
    }

    private void tell(KernelLane lane, RedirectPeer peer) {
        if (peer.kernelSalt.length == SALT) {
            byte[] key = kernelKey(peer.kernelSalt);
            lane.takeFrom(peer.id, peer.inetAddress, RedirectPeer.word(key, 0), RedirectPeer.word(key, 1));
        }
        if (peer.kernel && view.contains(peer.id.value())) lane.sendTo(peer.id, peer.inetAddress, peer.port);
        else
            lane.sendNoMoreTo(peer.id.value());
    }

    private void replace(RedirectPeer now) {
        Map<Integer, RedirectPeer> all = new java.util.LinkedHashMap<>();
        for (RedirectPeer peer : peers) all.put(peer.id.value(), peer);
        all.put(now.id.value(), now);
        peers = all.values().toArray(RedirectPeer[]::new);
    }

    void forgetTheGone() {
        lock.lock();
        try {
            long nowMs = clock.monotonicMs();
            for (Iterator<Map.Entry<Integer, Long>> each = leftAtMs.entrySet().iterator(); each.hasNext();) {
                Map.Entry<Integer, Long> left = each.next();
                if (nowMs - left.getValue() < keepMs) continue;
                each.remove();
                kernelLane.takeNoMoreFrom(left.getKey());
                peers = java.util.Arrays.stream(peers).filter(peer -> peer.id.value() != left.getKey()).toArray(RedirectPeer[]::new);
            }
        } finally {
            lock.unlock();
        }
    }

    private void sayHello() { wanted.release(); }

    private void run() {
        while (running) {
            try {
                HelloSender sender = hellos;
                if (sender != null) sender.send(hello());
            } catch (ClusterException closing) {
                LOG.debug("hello was not said", closing);
            } catch (RuntimeException failed) {
                LOG.error("hello was not said", failed);
            }
            forgetTheGone();
            linkMtu(currentMtu());
            if (!pause()) return;
        }
    }

    /** Bytes of the largest IP packet of the sync link, as of the last seconds; {@link Integer#MAX_VALUE} when nobody knows. */
    public int linkMtu() {
        return linkMtu;
    }

    void linkMtu(int bytes) { linkMtu = bytes; }

    private int currentMtu() {
        try {
            NetworkInterface device = NetworkInterface.getByInetAddress(bindAddress);
            return device == null ? Integer.MAX_VALUE : device.getMTU();
        } catch (SocketException unknown) {
            return Integer.MAX_VALUE;
        }
    }

    private boolean pause() {
        try {
            // Several reasons at once are one.
            TimeUnit.MILLISECONDS.sleep(HELLO_PAUSE_MS);
            if (wanted.tryAcquire(HELLO_MS, TimeUnit.MILLISECONDS)) wanted.drainPermits();
            return true;
        } catch (InterruptedException ended) {
            return false;
        }
    }

    RedirectHello hello() {
        return RedirectHello.newBuilder().setAddress(ByteString.copyFrom(bindAddress.getAddress())).setPort(port)
                .setSalt(ByteString.copyFrom(salt)).setKernelSalt(ByteString.copyFrom(kernelSalt)).setKernel(kernelLane.isOn()).build();
    }

    private static @Nullable InetAddress address(ByteString bytes) {
        try {
            return bytes.size() == 4 || bytes.size() == 16 ? InetAddress.getByAddress(bytes.toByteArray()) : null;
        } catch (UnknownHostException impossible) {
            return null;
        }
    }

    @Override
    public void close() {
        running = false;
        thread.interrupt();
        try {
            thread.join(1_000);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
