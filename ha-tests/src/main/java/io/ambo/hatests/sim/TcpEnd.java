package io.ambo.hatests.sim;

import java.util.SplittableRandom;

/**
 * One end of a simulated TCP connection: handshake, data in order, cumulative acknowledgements, go-back-N retransmission with a growing timer, half-close, RST.
 * Honest in what firewalls look at (RFC 9293), simple in everything else.
 */
final class TcpEnd {
    enum Phase {
        SYN_SENT, SYN_RECEIVED, ESTABLISHED, CLOSED
    }

    /** The world of an end. */
    interface World {
        void send(TcpEnd from, int flags, int seq, int ack, int payload);

        void after(long ns, Runnable act);

        void onEstablished(TcpEnd end);

        /** More has come in order: bytes so far. */
        void onReceived(TcpEnd end, long bytes);

        void onFin(TcpEnd end);

        /** It is over: both FINs are acknowledged, an RST came, or the end has given up. */
        void onClosed(TcpEnd end, String why);
    }

    static final int FIN = EndFrames.FIN, SYN = EndFrames.SYN, RST = EndFrames.RST, ACK = EndFrames.ACK;
    /** Bytes under way at most; the other end has offered much more. */
    private static final int MOST_UNDER_WAY = 9000;
    private static final int LARGEST_SEGMENT = 1200;
    private static final long FIRST_RETRY_NS = 200 * Agenda.MS, LONGEST_RETRY_NS = 1600 * Agenda.MS;
    private static final int MOST_RETRIES = 40, MOST_SYNS = 5;

    private final World world;
    private final SplittableRandom random;
    final int initial;
    private Phase phase;
    private int unacknowledged;
    private int next;
    private int highest;
    /** Where the data that was written ends. */
    private int limit;
    private boolean finishes;
    private int expected;
    private long received;
    private boolean finCame;
    private int tries;
    private long retryNs = FIRST_RETRY_NS;
    private long timer;
    private boolean timing;

    private TcpEnd(World world, SplittableRandom random, int initial, Phase phase) {
        this.world = world;
        this.random = random;
        this.initial = initial;
        this.phase = phase;
        unacknowledged = initial;
        next = highest = limit = initial + 1;
    }

    static TcpEnd connect(World world, SplittableRandom random, int initial) {
        TcpEnd end = new TcpEnd(world, random, initial, Phase.SYN_SENT);
        end.world.send(end, SYN, initial, 0, 0);
        end.arm();
        return end;
    }

    /** The answer to a SYN. */
    static TcpEnd accept(World world, SplittableRandom random, int initial, int theirInitial) {
        TcpEnd end = new TcpEnd(world, random, initial, Phase.SYN_RECEIVED);
        end.expected = theirInitial + 1;
        end.world.send(end, SYN | ACK, initial, end.expected, 0);
        end.arm();
        return end;
    }

    Phase phase() { return phase; }

    boolean isEstablished() { return phase == Phase.ESTABLISHED; }

    /** Sequence number after the last that it ever sent. */
    int highest() { return highest; }

    /** How far the other end has acknowledged. */
    int acknowledged() { return unacknowledged; }

    /** Something that it sent is not acknowledged. */
    boolean isWaiting() { return phase != Phase.CLOSED && unacknowledged != highest; }

    void write(int bytes) {
        limit += bytes;
        if (isEstablished()) pump();
    }

    /** Ends its direction after what was written. */
    void finish() {
        finishes = true;
        if (isEstablished()) pump();
    }

    boolean isFinishing() { return finishes; }

    void reset() {
        world.send(this, RST | ACK, next, expected, 0);
        close("sent RST");
    }

    void vanish() { close("vanished"); }

    void onSegment(int flags, int seq, int ack, int payload) {
        switch (phase) {
            case SYN_SENT -> answered(flags, seq, ack);
            case SYN_RECEIVED -> confirmed(flags, seq, ack, payload);
            case ESTABLISHED -> established(flags, seq, ack, payload);
            case CLOSED -> {
                // TIME-WAIT
                if (finCame && finishes && (flags & FIN) != 0) acknowledge();
            }
        }
    }

    private void answered(int flags, int seq, int ack) {
        if ((flags & ACK) == 0 || ack != next) return;
        if ((flags & RST) != 0) close("was refused");
        else if ((flags & SYN) != 0) {
            expected = seq + 1;
            acknowledged(ack);
            phase = Phase.ESTABLISHED;
            acknowledge();
            world.onEstablished(this);
        }
    }

    private void confirmed(int flags, int seq, int ack, int payload) {
        if ((flags & RST) != 0) {
            if (seq == expected) close("was reset");
        } else if ((flags & SYN) != 0) {
            if (seq + 1 == expected) world.send(this, SYN | ACK, initial, expected, 0);
        } else if ((flags & ACK) != 0 && ack == initial + 1) {
            phase = Phase.ESTABLISHED;
            acknowledged(ack);
            world.onEstablished(this);
            established(flags, seq, ack, payload);
        } else if ((flags & ACK) != 0) {
            // RFC 9293, 3.10.7.4: it acknowledges what this end has not sent.
            world.send(this, RST, ack, 0, 0);
            close("refuses");
        }
    }

    private void established(int flags, int seq, int ack, int payload) {
        if ((flags & RST) != 0) {
            if (seq == expected) close("was reset");
            return;
        }
        if ((flags & SYN) != 0) {
            acknowledge(); // RFC 5961, 4
            return;
        }
        if ((flags & ACK) != 0) acknowledged(ack);
        boolean fin = (flags & FIN) != 0;
        if (payload > 0 || fin) {
            if (seq == expected && !finCame) take(payload, fin);
            acknowledge();
        }
        if (phase != Phase.ESTABLISHED) return;
        pump();
        if (finCame && finishes && unacknowledged == limit + 1) close("closed");
    }

    private void take(int payload, boolean fin) {
        expected += payload;
        received += payload;
        if (fin) {
            expected++;
            finCame = true;
        }
        if (payload > 0) world.onReceived(this, received);
        if (fin && phase == Phase.ESTABLISHED) world.onFin(this);
    }

    private void acknowledged(int ack) {
        if (ack - unacknowledged <= 0 || ack - highest > 0) return;
        unacknowledged = ack;
        if (next - unacknowledged < 0) next = unacknowledged;
        tries = 0;
        retryNs = FIRST_RETRY_NS;
    }

    private void acknowledge() { world.send(this, ACK, next, expected, 0); }

    private void pump() {
        while (limit - next > 0 && next - unacknowledged < MOST_UNDER_WAY) {
            int bytes = Math.min(limit - next, 1 + random.nextInt(LARGEST_SEGMENT));
            world.send(this, ACK, next, expected, bytes);
            next += bytes;
        }
        if (finishes && next == limit) {
            world.send(this, FIN | ACK, next, expected, 0);
            next++;
        }
        if (next - highest > 0) highest = next;
        arm();
    }

    private void arm() {
        if (timing || !isWaiting()) return;
        timing = true;
        long of = ++timer;
        int waitingFor = unacknowledged;
        world.after(retryNs, () -> {
            if (of != timer || phase == Phase.CLOSED) return;
            timing = false;
            if (!isWaiting()) return;
            if (unacknowledged != waitingFor) arm();
            else
                retry();
        });
    }

    private void retry() {
        tries++;
        if (tries > (phase == Phase.ESTABLISHED ? MOST_RETRIES : MOST_SYNS)) {
            close("gave up");
            return;
        }
        retryNs = Math.min(2 * retryNs, LONGEST_RETRY_NS);
        switch (phase) {
            case SYN_SENT -> world.send(this, SYN, initial, 0, 0);
            case SYN_RECEIVED -> world.send(this, SYN | ACK, initial, expected, 0);
            case ESTABLISHED -> {
                next = unacknowledged;
                pump();
            }
            case CLOSED -> {
            }
        }
        arm();
    }

    private void close(String why) {
        if (phase == Phase.CLOSED) return;
        phase = Phase.CLOSED;
        world.onClosed(this, why);
    }
}
