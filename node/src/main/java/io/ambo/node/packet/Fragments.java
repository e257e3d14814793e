package io.ambo.node.packet;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Virtual reassembly: remembers for each datagram in fragments which session its first fragment named, so that the others find it, and holds those that come
 * before the first. Packets stay in the fragments they came in. Owned by one worker; all memory is taken at construction.
 *
 * <p>A datagram is known by source, destination, identification and routing zone, IPv4 also by its protocol (RFC 791, RFC 8200 4.5). The way of one:
 *
 * <pre>
 *   (no entry) --first fragment--> JUDGING --onFirstPassed--> KNOWN --all bytes seen, or timeout--> (no entry)
 *       |                            ^  |
 *       +--another--> WAITING -------+  +--onFirstRefused--> REFUSED --timeout--> (no entry)
 *                                          and from everywhere when a fragment overlaps another
 * </pre>
 *
 * <p>Fragments that overlap condemn their datagram (RFC 5722, taken for IPv4 as well); an exact repetition is dropped alone. A full table gives up its oldest
 * datagram: fragments of one datagram come close together, so an attacker who floods the table still hardly separates them.
 *
 * <p>Limit: the table is this node's and this worker's. Fragments of one datagram must come in on the same node and receive queue: routers that spread by
 * address (not by port, which fragments lack) keep to that. Those that do not find their first fragment here are dropped at the timeout.
 */
public final class Fragments {
    /** Fragments of one datagram; 65,535 bytes need 119 at an MTU of 576. What comes beyond is dropped. */
    private static final int RANGES_MAX = 128;
    private static final int DATAGRAMS_MAX = 1 << 16;
    static final int NONE = -1;

    /**
     * Bounds.
     *
     * @param datagrams       tracked at once
     * @param heldFrames      held at once, of all datagrams together
     * @param heldPerDatagram of them for one datagram
     * @param timeoutNs       from a datagram's first-seen fragment to giving it up
     */
    public record Limits(int datagrams, int heldFrames, int heldPerDatagram, long timeoutNs) {
        public static final Limits DEFAULT = new Limits(1024, 1024, 48, 2_000_000_000L);

        /** All at least 1; at most 65,536 datagrams and frames. */
        public Limits {
            check("datagrams", datagrams, DATAGRAMS_MAX);
            check("heldFrames", heldFrames, DATAGRAMS_MAX);
            check("heldPerDatagram", heldPerDatagram, RANGES_MAX);
            check("timeoutNs", timeoutNs, Long.MAX_VALUE);
        }

        private static void check(String name, long value, long max) {
            if (value < 1 || value > max) throw new IllegalArgumentException(name + " = " + value + ": 1 to " + max);
        }
    }

    /** What to do with a fragment. */
    public enum Result {
        /** The ports (and protocol) of its datagram are in the view now: a packet of that session. */
        KNOWN(DropReason.NONE),
        /** The first of its datagram: judge it as any packet, then say {@link Fragments#onFirstPassed} or {@link Fragments#onFirstRefused}. */
        FIRST(DropReason.NONE),
        /** It waits for the first fragment. The frame stays with the table until it is released or given up. */
        HELD(DropReason.NONE),
        /** The caller drops it, for {@link #reason()}, and frees the frame. */
        OVERLAP(DropReason.FRAGMENT_OVERLAP), SIZE(DropReason.FRAGMENT_SIZE), FULL(DropReason.FRAGMENT_TABLE_FULL),
        /** Its first fragment was refused. */
        REFUSED(DropReason.FRAGMENT_REFUSED);

        private final DropReason reason;

        Result(DropReason reason) { this.reason = reason; }

        /** NONE when the fragment lives on. */
        public DropReason reason() { return reason; }
    }

    /** Takes back frames that were held and will not be released. */
    @FunctionalInterface
    public interface GivenUp {
        /** The frame is the caller's again: count the reason and free it. Must not call the table. */
        void onGivenUp(long frameHandle, DropReason reason);
    }

    /** Takes frames whose first fragment has passed. */
    @FunctionalInterface
    public interface Released {
        /** The fragment is parsed and its ports are set: treat it as one that was {@link Result#KNOWN}. The frame is the caller's again. Must not call the table. */
        void onReleased(PacketView fragment, long frameHandle);
    }

    private enum State {
        WAITING, JUDGING, KNOWN, REFUSED
    }

    private final Limits limits;
    private final GivenUp givenUp;
    private final Datagrams datagrams;
    private final HeldFrames held;

    /** The sink is called from within the methods of this table. */
    public Fragments(Limits limits, GivenUp givenUp) {
        this.limits = limits;
        this.givenUp = givenUp;
        this.datagrams = new Datagrams(limits.datagrams);
        this.held = new HeldFrames(limits.heldFrames);
    }

    /**
     * Judges a fragment ({@link PacketView#isFragment()}) that was just parsed. Present each once; only a first one may come again (after it was parked) as
     * long as it was neither passed nor refused. A later one that is presented again counts as a repetition.
     *
     * @param frameHandle the caller's own name of the frame (and of what else it must remember, such as the port it came in on)
     */
    public Result onFragment(PacketView fragment, int routingZone, long frameHandle, long nowNs) {
        int slot = datagrams.find(fragment, routingZone);
        if (slot != NONE && nowNs - datagrams.createdNs[slot] > limits.timeoutNs) {
            giveUp(slot, DropReason.FRAGMENT_TIMEOUT);
            slot = NONE;
        }
        if (slot == NONE) slot = open(fragment, routingZone, nowNs);
        fragment.datagram = datagrams.token(slot);
        if (datagrams.state[slot] == State.REFUSED) return datagrams.refusal[slot];

        int start = fragment.fragmentOffset;
        int end = start + fragment.fragmentLength;
        if (datagrams.hasRange(slot, start, fragment.fragmentLength)) return repeated(slot, fragment);
        if (datagrams.overlaps(slot, start, end) || datagrams.contradictsEnd(slot, end, fragment.moreFragments))
            return condemn(slot, Result.OVERLAP);
        if (datagrams.rangeCount[slot] == RANGES_MAX) return Result.FULL;

        boolean first = start == 0;
        boolean known = datagrams.state[slot] == State.KNOWN;
        if (!first && !known) {
            if (datagrams.heldCount[slot] == limits.heldPerDatagram || held.isFull()) return Result.FULL;
            datagrams.addHeld(slot, held.take(fragment, frameHandle), held);
        }
        datagrams.addRange(slot, start, fragment.fragmentLength, fragment.moreFragments);
        if (first) {
            datagrams.setFirst(slot, fragment);
            return Result.FIRST;
        }
        if (!known) return Result.HELD;
        datagrams.fillFirst(slot, fragment);
        closeIfComplete(slot);
        return Result.KNOWN;
    }

    /**
     * The first fragment passed: from now on others of its datagram are {@link Result#KNOWN}, and those held are released, in the order they came.
     *
     * @param first   the view that {@link #onFragment} called FIRST; its addresses may have been translated since, the remembered ports are the original ones
     * @param scratch filled for each released fragment
     * @return fragments released
     */
    public int onFirstPassed(PacketView first, PacketView scratch, Released released) {
        int slot = datagrams.resolve(first.datagram);
        if (slot == NONE || datagrams.state[slot] != State.JUDGING) return 0;
        datagrams.state[slot] = State.KNOWN;
        int count = 0;
        for (int frame = datagrams.detachHeld(slot); frame != NONE; count++) {
            int next = held.next[frame];
            long handle = held.handle[frame];
            held.wrap(frame, scratch);
            held.free(frame);
            Parser.parse(scratch);
            scratch.datagram = first.datagram;
            datagrams.fillFirst(slot, scratch);
            released.onReleased(scratch, handle);
            frame = next;
        }
        closeIfComplete(slot);
        return count;
    }

    /** The first fragment was dropped: so are those held and those to come. */
    public void onFirstRefused(PacketView first) {
        int slot = datagrams.resolve(first.datagram);
        if (slot != NONE && datagrams.state[slot] == State.JUDGING) condemn(slot, Result.REFUSED);
    }

    /**
     * Gives up datagrams whose time is over.
     *
     * @param limit datagrams at most in this call
     * @return datagrams given up
     */
    public int expire(long nowNs, int limit) {
        int count = 0;
        // All have the same timeout, so the oldest is always the next to go.
        while (count < limit && datagrams.oldest != NONE && nowNs - datagrams.createdNs[datagrams.oldest] > limits.timeoutNs) {
            giveUp(datagrams.oldest, DropReason.FRAGMENT_TIMEOUT);
            count++;
        }
        return count;
    }

    /** Datagrams tracked now. */
    public int datagrams() { return datagrams.count; }

    /** Frames held now. */
    public int heldFrames() { return held.count; }

    private int open(PacketView fragment, int routingZone, long nowNs) {
        if (datagrams.isFull()) giveUp(datagrams.oldest, DropReason.FRAGMENT_TABLE_FULL);
        return datagrams.open(fragment, routingZone, nowNs);
    }

    /** An exact repetition harms nobody when it is dropped; a first one that still waits for its verdict may ask again, unless it changed its ports. */
    private Result repeated(int slot, PacketView fragment) {
        if (fragment.fragmentOffset != 0 || datagrams.state[slot] != State.JUDGING) return Result.OVERLAP;
        return datagrams.isSameFirst(slot, fragment) ? Result.FIRST : condemn(slot, Result.OVERLAP);
    }

    /** The entry stays until its timeout, so that what is still to come is refused too. */
    private Result condemn(int slot, Result refusal) {
        datagrams.state[slot] = State.REFUSED;
        datagrams.refusal[slot] = refusal;
        freeHeld(slot, refusal.reason());
        return refusal;
    }

    private void giveUp(int slot, DropReason reason) {
        freeHeld(slot, reason);
        datagrams.close(slot);
    }

    private void freeHeld(int slot, DropReason reason) {
        for (int frame = datagrams.detachHeld(slot); frame != NONE;) {
            int next = held.next[frame];
            long handle = held.handle[frame];
            held.free(frame);
            givenUp.onGivenUp(handle, reason);
            frame = next;
        }
    }

    private void closeIfComplete(int slot) { if (datagrams.isComplete(slot)) datagrams.close(slot); }

    /** The table itself: parallel arrays, one index is one datagram. A hash chain finds them, a list by age ends them. */
    private static final class Datagrams {
        final long[] sourceHigh;
        final long[] sourceLow;
        final long[] destinationHigh;
        final long[] destinationLow;
        /** Identification in the high half; routing zone, IP version and protocol in the low. */
        final long[] name;
        final long[] createdNs;
        final State[] state;
        final Result[] refusal;
        final int[] sourcePort;
        final int[] destinationPort;
        final int[] protocol;
        final int[] heldFirst;
        final int[] heldLast;
        final int[] heldCount;
        final int[] rangeCount;
        /** {@link #RANGES_MAX} for each datagram: offset and length, 16 bits each. */
        final int[] ranges;
        /** Bytes seen, the highest end seen, and the length of the whole: NONE until the last fragment has come. */
        final int[] seen;
        final int[] endMax;
        final int[] length;
        final int[] generation;

        final int[] chains;
        final int[] nextInChain;
        final int[] chainOf;
        final int[] older;
        final int[] newer;
        int oldest = NONE;
        int newest = NONE;
        int free = 0;
        int count;

        Datagrams(int capacity) {
            sourceHigh = new long[capacity];
            sourceLow = new long[capacity];
            destinationHigh = new long[capacity];
            destinationLow = new long[capacity];
            name = new long[capacity];
            createdNs = new long[capacity];
            state = new State[capacity];
            refusal = new Result[capacity];
            Arrays.fill(state, State.WAITING);
            Arrays.fill(refusal, Result.REFUSED);
            sourcePort = new int[capacity];
            destinationPort = new int[capacity];
            protocol = new int[capacity];
            heldFirst = new int[capacity];
            heldLast = new int[capacity];
            heldCount = new int[capacity];
            rangeCount = new int[capacity];
            ranges = new int[capacity * RANGES_MAX];
            seen = new int[capacity];
            endMax = new int[capacity];
            length = new int[capacity];
            generation = new int[capacity];
            chains = new int[Integer.highestOneBit(capacity) * 2];
            Arrays.fill(chains, NONE);
            nextInChain = new int[capacity];
            for (int i = 0; i < capacity; i++) nextInChain[i] = i + 1 < capacity ? i + 1 : NONE;
            chainOf = new int[capacity];
            older = new int[capacity];
            newer = new int[capacity];
        }

        boolean isFull() { return free == NONE; }

        /** IPv6 names its datagrams without the protocol: only the first fragment knows it for sure (RFC 8200, 4.5). */
        private static long name(PacketView fragment, int routingZone) {
            int protocol = fragment.ipVersion == 4 ? fragment.protocol : 0;
            return (long) fragment.fragmentId << 32 | (long) (routingZone & 0xFFFF) << 16 | fragment.ipVersion << 8 | protocol;
        }

        private int chain(PacketView fragment, long name) {
            long hash = (fragment.sourceHigh * 31 + fragment.sourceLow) * 31 + fragment.destinationHigh * 31 + fragment.destinationLow;
            hash = (hash ^ hash >>> 32 ^ name) * 0x9E3779B97F4A7C15L;
            // The upper bits: the lower ones depend on less than all of the name.
            return (int) (hash >>> Long.numberOfLeadingZeros(chains.length) + 1);
        }

        int find(PacketView fragment, int routingZone) {
            long wanted = name(fragment, routingZone);
            for (int slot = chains[chain(fragment, wanted)]; slot != NONE; slot = nextInChain[slot]) {
                if (name[slot] == wanted && sourceLow[slot] == fragment.sourceLow && destinationLow[slot] == fragment.destinationLow
                        && sourceHigh[slot] == fragment.sourceHigh && destinationHigh[slot] == fragment.destinationHigh)
                    return slot;
            }
            return NONE;
        }

        int open(PacketView fragment, int routingZone, long nowNs) {
            int slot = free;
            free = nextInChain[slot];
            sourceHigh[slot] = fragment.sourceHigh;
            sourceLow[slot] = fragment.sourceLow;
            destinationHigh[slot] = fragment.destinationHigh;
            destinationLow[slot] = fragment.destinationLow;
            name[slot] = name(fragment, routingZone);
            createdNs[slot] = nowNs;
            state[slot] = State.WAITING;
            heldFirst[slot] = heldLast[slot] = NONE;
            heldCount[slot] = rangeCount[slot] = seen[slot] = endMax[slot] = 0;
            length[slot] = NONE;
            generation[slot]++;
            int chain = chain(fragment, name[slot]);
            chainOf[slot] = chain;
            nextInChain[slot] = chains[chain];
            chains[chain] = slot;
            older[slot] = newest;
            newer[slot] = NONE;
            if (newest == NONE) oldest = slot;
            else
                newer[newest] = slot;
            newest = slot;
            count++;
            return slot;
        }

        void close(int slot) {
            int chain = chainOf[slot];
            if (chains[chain] == slot) chains[chain] = nextInChain[slot];
            else {
                int before = chains[chain];
                while (nextInChain[before] != slot) before = nextInChain[before];
                nextInChain[before] = nextInChain[slot];
            }
            if (older[slot] == NONE) oldest = newer[slot];
            else
                newer[older[slot]] = newer[slot];
            if (newer[slot] == NONE) newest = older[slot];
            else
                older[newer[slot]] = older[slot];
            generation[slot]++;
            nextInChain[slot] = free;
            free = slot;
            count--;
        }

        /** Names this life of the slot; never 0. */
        long token(int slot) { return (long) generation[slot] << 32 | slot + 1; }

        int resolve(long token) {
            int slot = (int) token - 1;
            return slot >= 0 && slot < generation.length && generation[slot] == (int) (token >>> 32) ? slot : NONE;
        }

        boolean hasRange(int slot, int start, int size) {
            int wanted = start << 16 | size;
            int from = slot * RANGES_MAX;
            for (int i = from; i < from + rangeCount[slot]; i++) if (ranges[i] == wanted) return true;
            return false;
        }

        boolean overlaps(int slot, int start, int end) {
            if (start >= endMax[slot]) return false;
            int from = slot * RANGES_MAX;
            for (int i = from; i < from + rangeCount[slot]; i++) {
                int otherStart = ranges[i] >>> 16;
                if (start < otherStart + (ranges[i] & 0xFFFF) && otherStart < end) return true;
            }
            return false;
        }

        /** A second end, or bytes behind the end. */
        boolean contradictsEnd(int slot, int end, boolean more) {
            if (more) return length[slot] != NONE && end > length[slot];
            return length[slot] != NONE || endMax[slot] > end;
        }

        void addRange(int slot, int start, int size, boolean more) {
            ranges[slot * RANGES_MAX + rangeCount[slot]++] = start << 16 | size;
            seen[slot] += size;
            endMax[slot] = Math.max(endMax[slot], start + size);
            if (!more) length[slot] = start + size;
        }

        boolean isComplete(int slot) { return state[slot] == State.KNOWN && seen[slot] == length[slot]; }

        void setFirst(int slot, PacketView first) {
            state[slot] = State.JUDGING;
            sourcePort[slot] = first.sourcePort;
            destinationPort[slot] = first.destinationPort;
            protocol[slot] = first.protocol;
        }

        boolean isSameFirst(int slot, PacketView first) {
            return sourcePort[slot] == first.sourcePort && destinationPort[slot] == first.destinationPort
                    && protocol[slot] == first.protocol;
        }

        void fillFirst(int slot, PacketView later) {
            later.sourcePort = sourcePort[slot];
            later.destinationPort = destinationPort[slot];
            later.protocol = protocol[slot];
        }

        void addHeld(int slot, int frame, HeldFrames frames) {
            if (heldFirst[slot] == NONE) heldFirst[slot] = frame;
            else
                frames.next[heldLast[slot]] = frame;
            heldLast[slot] = frame;
            heldCount[slot]++;
        }

        /** Takes the whole list away; its first frame is returned. */
        int detachHeld(int slot) {
            int first = heldFirst[slot];
            heldFirst[slot] = heldLast[slot] = NONE;
            heldCount[slot] = 0;
            return first;
        }
    }

    /** Frames that wait, in lists by {@link #next}; the free ones are such a list too. */
    private static final class HeldFrames {
        final MemorySegment[] segment;
        final long[] frame;
        final int[] frameLength;
        final long[] handle;
        final int[] next;
        int free = 0;
        int count;

        HeldFrames(int capacity) {
            segment = new MemorySegment[capacity];
            Arrays.fill(segment, MemorySegment.NULL);
            frame = new long[capacity];
            frameLength = new int[capacity];
            handle = new long[capacity];
            next = new int[capacity];
            for (int i = 0; i < capacity; i++) next[i] = i + 1 < capacity ? i + 1 : NONE;
        }

        boolean isFull() { return free == NONE; }

        int take(PacketView view, long frameHandle) {
            int taken = free;
            free = next[taken];
            next[taken] = NONE;
            segment[taken] = view.segment;
            frame[taken] = view.frame;
            frameLength[taken] = view.frameLength;
            handle[taken] = frameHandle;
            count++;
            return taken;
        }

        void wrap(int held, PacketView view) { view.wrap(segment[held], frame[held], frameLength[held]); }

        void free(int held) {
            segment[held] = MemorySegment.NULL;
            next[held] = free;
            free = held;
            count--;
        }
    }
}
