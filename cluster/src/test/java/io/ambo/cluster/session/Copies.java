package io.ambo.cluster.session;

import java.util.SplittableRandom;

/**
 * Random copies of one session as nodes could have them. Within an incarnation all stem from one history, which each copy knows up to some point for each
 * flow: the truth about sequence numbers is 64 bits wide, steps over the 32-bit wrap, and old copies are up to some 2^34 bytes behind.
 */
final class Copies {
    /** Points in a flow's history that a copy can have reached. */
    static final int STEPS = 12;

    private final SplittableRandom random;
    private final History[] histories = new History[6];

    Copies(SplittableRandom random) {
        this.random = random;
        for (int i = 0; i < histories.length; i++) histories[i] = new History(random, i);
    }

    SessionRecord any() { return of(random.nextInt(histories.length)); }

    SessionRecord of(int incarnation) {
        return histories[incarnation].copy(random, random.nextInt(STEPS + 1), random.nextInt(STEPS + 1), random.nextInt(4) == 0);
    }

    /** A live copy of the first incarnation that knows so much of each flow. */
    SessionRecord of(int originalStep, int replyStep) {
        return histories[0].copy(random, originalStep, replyStep, false);
    }

    long trueSeqEnd(boolean ofReply, int step) { return histories[0].flow(ofReply).seqEnd[step]; }

    long trueMaxEnd(boolean ofReply, int otherFlowStep) { return histories[0].flow(!ofReply).limit[otherFlowStep]; }

    long trueAck(boolean ofReply, int step) { return histories[0].flow(ofReply).ack[step]; }

    private static final class History {
        private final int epoch;
        private final long created;
        private final int creator;
        private final Flow original;
        private final Flow reply;

        private History(SplittableRandom random, int index) {
            epoch = index / 3 - (index == 5 ? 2 : 0);
            created = 100L + random.nextInt(3);
            creator = 1 + index;
            original = new Flow(random);
            reply = new Flow(random);
        }

        private Flow flow(boolean ofReply) { return ofReply ? reply : original; }

        private SessionRecord copy(SplittableRandom random, int originalStep, int replyStep, boolean closed) {
            SessionRecord copy = new SessionRecord().incarnation(epoch, created, creator).owner(random.nextInt(1, 4)).zones(1, 2).rule(7)
                    .timeoutMs(random.nextInt(1_000)).lastSeenMs(random.nextInt(4));
            if (closed) copy.addFlags(SessionRecord.CLOSED);
            if (random.nextBoolean()) copy.addFlags(SessionRecord.TRANSLATED);
            original.tell(originalStep, copy.original(), copy.reply());
            reply.tell(replyStep, copy.reply(), copy.original());
            copy.count(false, originalStep, original.bytes[originalStep]);
            copy.count(true, replyStep, reply.bytes[replyStep]);
            return copy;
        }
    }

    /** What the packets of one flow say, step by step; nothing is known at step 0. */
    private static final class Flow {
        private final long[] bytes = new long[STEPS + 1];
        private final long[] seqEnd = new long[STEPS + 1];
        private final long[] ack = new long[STEPS + 1];
        private final long[] limit = new long[STEPS + 1];
        private final int[] state = new int[STEPS + 1];

        private Flow(SplittableRandom random) {
            seqEnd[0] = random.nextInt() & 0xFFFF_FFFFL;
            ack[0] = random.nextInt() & 0xFFFF_FFFFL;
            limit[0] = ack[0];
            for (int step = 1; step <= STEPS; step++) {
                // Mostly ordinary steps, sometimes several turns of the 32 bits at once.
                long moved = random.nextInt(3) == 0 ? random.nextLong(1L << 31, 1L << 34) : random.nextLong(1L << 20);
                seqEnd[step] = seqEnd[step - 1] + moved;
                ack[step] = ack[step - 1] + moved / 2;
                limit[step] = limit[step - 1] + moved / 2;
                bytes[step] = bytes[step - 1] + moved + 40;
                state[step] = Math.max(state[step - 1], random.nextInt(TcpHalf.CLOSED + 1));
            }
        }

        private void tell(int step, TcpHalf sender, TcpHalf receiver) {
            if (step == 0) return;
            sender.advanceSeqEnd((int) seqEnd[step]);
            sender.advanceAck((int) ack[step]);
            sender.raiseState(state[step]);
            sender.raiseMaxWindow(1_000 * step);
            if (step > 1) sender.raiseScale(7);
            receiver.advanceMaxEnd((int) limit[step]);
        }
    }
}
