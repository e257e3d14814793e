package io.ambo.cluster.jgroups;

import io.ambo.cluster.ClusterKey;
import io.ambo.cluster.membership.Transport.PacketRefusal;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import java.util.zip.CRC32C;
import javax.crypto.Cipher;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * Seals each packet of the sync link and opens those of the peers, before anything in them is looked at: AES-256-GCM under a key of the sender's run.
 *
 * <pre>
 *   0   1         2      3   4           8        24        32              n     n + 16
 *   |'A'| version | kind | 0 | cluster   | run    | number  | ciphertext    | tag |
 *   `------------- authenticated --------------------------'
 * </pre>
 *
 * <b>Keys.</b> A run is 128 random bits, new with each start. Its key is derived from the cluster key with the run as salt (HKDF), the nonce is the packet's
 * number in the run: no nonce is used twice under one key, whatever restarts.
 *
 * <p>
 * <b>Several keys.</b> While the cluster key is being changed there is more than one: what is sent is sealed with the first, what comes is opened with whichever
 * fits. A run and its numbers go on over the change, so that nobody has to prove anything again and no packet is lost.
 *
 * <p>
 * <b>Replay.</b> A number passes once ({@link ReplayWindow}). Packets of an earlier run are recognised too: a run that is new here must first prove that
 * somebody lives behind it, by sealing a random challenge of ours. Until then a few of its packets wait. This costs one round trip at start.
 *
 * <p>
 * <b>Strangers.</b> A packet of this cluster's name that does not open is counted and answered, a few times a second, by an empty packet of ours. It does not
 * open there either: so both sides learn that their keys differ. Packets of other clusters (another number in the clear) are not ours to count.
 *
 * <p>
 * Any thread.
 */
final class Seal {
    static final int HEADER = 32;
    static final int TAG = 16;
    /** Bytes that a packet grows by. */
    static final int OVERHEAD = HEADER + TAG;

    private static final byte MAGIC = 'A';
    private static final byte VERSION = 1;
    private static final byte DATA = 1, CHALLENGE = 2, PROOF = 3, EMPTY = 4;
    private static final int KIND_AT = 2, CLUSTER_AT = 4, RUN_AT = 8, NUMBER_AT = 24;
    private static final int RUN = 16;
    private static final int CHALLENGE_SIZE = 16;
    private static final int KEY = 32;
    private static final int NONCE = 12;
    /** Runs remembered; the least recently heard is forgotten first and would have to prove itself again. */
    private static final int MOST_RUNS = 64;
    private static final int MOST_WAITING = 64;
    private static final long CHALLENGE_INTERVAL_NS = 10_000_000L;
    private static final long ANSWER_INTERVAL_NS = 200_000_000L;
    private static final long STRANGER_INTERVAL_NS = 500_000_000L;

    /** What the seal does to the outside. */
    interface Port<A> {
        /** Hands an opened packet up. */
        void deliver(A from, byte[] bytes, int offset, int length);

        /** Sends a packet of the seal's own; losing it is no harm. */
        void send(A to, byte[] packet);

        void refused(PacketRefusal refusal);

        /** Somebody of this cluster's name has another key. At most twice a second. */
        void stranger(A from);
    }

    private record RunId(long high, long low) {}

    /** An opened packet of a run that has not yet proved itself. */
    private static final class Waiting {
        final Object from;
        final byte[] bytes;

        Waiting(Object from, byte[] bytes) {
            this.from = from;
            this.bytes = bytes;
        }
    }

    /** A peer's run. Guarded by itself. */
    private static final class PeerRun {
        /** Which of the keys fits is found out by trying; the one that fitted last comes first. */
        volatile Keys keys;
        final ReplayWindow window = new ReplayWindow();
        final byte[] challenge = new byte[CHALLENGE_SIZE];
        final ArrayDeque<Waiting> waiting = new ArrayDeque<>();
        boolean proven;
        long challengedAtNs = Long.MIN_VALUE / 2;

        PeerRun(Keys keys) { this.keys = keys; }
    }

    /** A key with ciphers that have its schedule: one that must be given another key works that out first, which is as much as sealing a delta. */
    private final class Key {
        private final SecretKey secret;
        private final ConcurrentLinkedQueue<Cipher> ciphers = new ConcurrentLinkedQueue<>();

        Key(SecretKey secret) { this.secret = secret; }

        /** To be given back. */
        Cipher borrow(int mode, long number) throws GeneralSecurityException {
            Cipher cipher = ciphers.poll();
            if (cipher == null) cipher = spareCiphers.poll();
            if (cipher == null) cipher = Cipher.getInstance("AES/GCM/NoPadding");
            cipher.init(mode, secret, new GCMParameterSpec(TAG * 8, nonce(number)));
            return cipher;
        }

        void giveBack(Cipher cipher) { ciphers.add(cipher); }

        /** It is not used again. */
        void retire() {
            for (Cipher cipher = ciphers.poll(); cipher != null; cipher = ciphers.poll()) spareCiphers.add(cipher);
        }
    }

    /** A run's keys, one for each cluster key. */
    private static final class Keys {
        final ClusterKey of;
        final Key[] each;
        /** Only a guess: any thread may set it. */
        volatile int lastFit;

        Keys(ClusterKey of, Key[] each) {
            this.of = of;
            this.each = each;
        }

        void retire() { for (Key key : each) key.retire(); }
    }

    private final String purpose;
    private final int cluster;
    private final RandomGenerator random;
    private final LongSupplier nanoTime;
    private final byte[] run = new byte[RUN];
    private volatile Keys keys;
    private final AtomicLong numbers = new AtomicLong();
    private final ConcurrentLinkedQueue<Cipher> spareCiphers = new ConcurrentLinkedQueue<>();
    private final Map<RunId, PeerRun> runs = new LinkedHashMap<>(16, 0.75f, true);
    private final AtomicLong answeredAtNs;
    private final AtomicLong strangerAtNs;

    /** @param random must be unpredictable */
    Seal(ClusterKey clusterKey, String clusterName, RandomGenerator random, LongSupplier nanoTime) {
        this.random = random;
        this.nanoTime = nanoTime;
        purpose = "ambo sync link 1 " + clusterName;
        CRC32C crc = new CRC32C();
        crc.update(clusterName.getBytes(StandardCharsets.UTF_8));
        cluster = (int) crc.getValue();
        random.nextBytes(run);
        keys = keysOf(run, clusterKey);
        answeredAtNs = new AtomicLong(nanoTime.getAsLong() - STRANGER_INTERVAL_NS);
        strangerAtNs = new AtomicLong(nanoTime.getAsLong() - STRANGER_INTERVAL_NS);
    }

    /** From now on these are the keys. A packet that another thread is sealing just now may still have the key before. */
    void rekey(ClusterKey clusterKey) {
        keys = keysOf(run, clusterKey);
    }

    /** A packet for the link. */
    byte[] seal(byte[] bytes, int offset, int length) { return seal(DATA, bytes, offset, length); }

    private byte[] seal(byte kind, byte[] bytes, int offset, int length) {
        byte[] packet = new byte[OVERHEAD + length];
        long number = numbers.incrementAndGet();
        ByteBuffer.wrap(packet).put(MAGIC).put(VERSION).put(kind).put((byte) 0).putInt(cluster).put(run).putLong(number);
        Key key = keys.each[0];
        try {
            Cipher cipher = key.borrow(Cipher.ENCRYPT_MODE, number);
            cipher.updateAAD(packet, 0, HEADER);
            cipher.doFinal(bytes, offset, length, packet, HEADER);
            key.giveBack(cipher);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("AES-GCM cannot seal", e);
        }
        return packet;
    }

    /** A packet from the link. */
    <A> void open(A from, byte[] packet, int offset, int length, Port<A> port) {
        if (length < OVERHEAD || packet[offset] != MAGIC || packet[offset + 1] != VERSION) {
            port.refused(PacketRefusal.UNAUTHENTIC);
            return;
        }
        ByteBuffer header = ByteBuffer.wrap(packet, offset, length);
        if (header.getInt(offset + CLUSTER_AT) != cluster) return;
        if (Arrays.equals(packet, offset + RUN_AT, offset + RUN_AT + RUN, run, 0, RUN)) return;
        RunId id = new RunId(header.getLong(offset + RUN_AT), header.getLong(offset + RUN_AT + 8));
        long number = header.getLong(offset + NUMBER_AT);
        PeerRun known = known(id);
        PeerRun peer = known == null ? new PeerRun(keysOf(runIn(packet, offset), keys.of)) : known;
        byte[] opened = decrypt(peer, packet, offset, length, number);
        if (opened == null) {
            if (known == null) peer.keys.retire();
            onStranger(from, port);
            return;
        }
        if (known == null) peer = remember(id, peer);
        if (!peer.window.admit(number)) {
            port.refused(PacketRefusal.REPLAYED);
            return;
        }
        switch (packet[offset + KIND_AT]) {
            case DATA -> onData(from, peer, id, opened, port);
            case CHALLENGE -> onChallenge(from, peer, id, opened, port);
            case PROOF -> onProof(peer, opened, port);
            default -> {
            }
        }
    }

    private <A> void onData(A from, PeerRun peer, RunId id, byte[] opened, Port<A> port) {
        synchronized (peer) {
            if (!peer.proven) {
                if (peer.waiting.size() < MOST_WAITING) peer.waiting.add(new Waiting(from, opened));
                else
                    port.refused(PacketRefusal.UNPROVEN);
                challenge(from, peer, id, port);
                return;
            }
        }
        port.deliver(from, opened, 0, opened.length);
    }

    private <A> void onChallenge(A from, PeerRun peer, RunId id, byte[] opened, Port<A> port) {
        if (opened.length != RUN + CHALLENGE_SIZE || !Arrays.equals(opened, 0, RUN, run, 0, RUN)) return;
        byte[] proof = Arrays.copyOfRange(opened, RUN, RUN + CHALLENGE_SIZE);
        port.send(from, seal(PROOF, proof, 0, proof.length));
        synchronized (peer) {
            if (!peer.proven) challenge(from, peer, id, port);
        }
    }

    private <A> void onProof(PeerRun peer, byte[] opened, Port<A> port) {
        List<Waiting> waiting;
        synchronized (peer) {
            if (peer.proven || peer.challengedAtNs == Long.MIN_VALUE / 2 || !MessageDigest.isEqual(opened, peer.challenge)) return;
            waiting = new ArrayList<>(peer.waiting);
            peer.waiting.clear();
            peer.proven = true;
        }
        for (Waiting packet : waiting) {
            @SuppressWarnings("unchecked")
            A from = (A) packet.from;
            port.deliver(from, packet.bytes, 0, packet.bytes.length);
        }
    }

    /** The peer is locked. The same challenge is repeated until it is answered: either may be lost. */
    private <A> void challenge(A to, PeerRun peer, RunId id, Port<A> port) {
        long nowNs = nanoTime.getAsLong();
        if (nowNs - peer.challengedAtNs < CHALLENGE_INTERVAL_NS) return;
        if (peer.challengedAtNs == Long.MIN_VALUE / 2) random.nextBytes(peer.challenge);
        peer.challengedAtNs = nowNs;
        byte[] content = ByteBuffer.allocate(RUN + CHALLENGE_SIZE).putLong(id.high()).putLong(id.low()).put(peer.challenge).array();
        port.send(to, seal(CHALLENGE, content, 0, content.length));
    }

    private <A> void onStranger(A from, Port<A> port) {
        port.refused(PacketRefusal.UNAUTHENTIC);
        if (due(answeredAtNs, ANSWER_INTERVAL_NS)) port.send(from, seal(EMPTY, run, 0, 0));
        if (due(strangerAtNs, STRANGER_INTERVAL_NS)) port.stranger(from);
    }

    private boolean due(AtomicLong lastNs, long intervalNs) {
        long nowNs = nanoTime.getAsLong();
        long last = lastNs.get();
        return nowNs - last >= intervalNs && lastNs.compareAndSet(last, nowNs);
    }

    private @Nullable PeerRun known(RunId id) {
        synchronized (runs) {
            return runs.get(id);
        }
    }

    private PeerRun remember(RunId id, PeerRun fresh) {
        synchronized (runs) {
            PeerRun other = runs.putIfAbsent(id, fresh);
            if (other != null) return other;
            if (runs.size() > MOST_RUNS) forgetOne();
            return fresh;
        }
    }

    /** The longest unheard that has proved nothing, else the longest unheard: replayed old runs do not push out the living. */
    private void forgetOne() {
        RunId victim = runs.keySet().iterator().next();
        for (Map.Entry<RunId, PeerRun> entry : runs.entrySet()) {
            if (!entry.getValue().proven) {
                victim = entry.getKey();
                break;
            }
        }
        runs.remove(victim);
    }

    /** With each key that there is, until one fits. */
    private byte @Nullable [] decrypt(PeerRun peer, byte[] packet, int offset, int length, long number) {
        Keys theirs = peer.keys;
        if (theirs.of != keys.of) {
            theirs = keysOf(runIn(packet, offset), keys.of);
            peer.keys = theirs;
        }
        int first = theirs.lastFit;
        for (int i = 0; i < theirs.each.length; i++) {
            int index = (first + i) % theirs.each.length;
            byte[] opened = decrypt(theirs.each[index], packet, offset, length, number);
            if (opened == null) continue;
            if (index != first) theirs.lastFit = index;
            return opened;
        }
        return null;
    }

    private static byte @Nullable [] decrypt(Key with, byte[] packet, int offset, int length, long number) {
        Cipher cipher;
        try {
            cipher = with.borrow(Cipher.DECRYPT_MODE, number);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this JVM has no AES-GCM", e);
        }
        try {
            cipher.updateAAD(packet, offset, HEADER);
            return cipher.doFinal(packet, offset + HEADER, length - HEADER);
        } catch (GeneralSecurityException e) {
            return null;
        } finally {
            with.giveBack(cipher);
        }
    }

    private static byte[] runIn(byte[] packet, int offset) { return Arrays.copyOfRange(packet, offset + RUN_AT, offset + RUN_AT + RUN); }

    private Keys keysOf(byte[] ofRun, ClusterKey clusterKey) {
        Key[] each = new Key[clusterKey.count()];
        for (int i = 0; i < each.length; i++) each[i] = new Key(new SecretKeySpec(clusterKey.derive(i, ofRun, purpose, KEY), "AES"));
        return new Keys(clusterKey, each);
    }

    private static byte[] nonce(long number) { return ByteBuffer.allocate(NONCE).putInt(0).putLong(number).array(); }
}
