package io.ambo.cluster.session;

import static io.ambo.cluster.session.SessionTable.Merge.ADVANCED;
import static io.ambo.cluster.session.SessionTable.Merge.LOST;
import static io.ambo.cluster.session.SessionTable.Merge.OUTLIVED;
import static io.ambo.cluster.session.SessionTable.Merge.REPLACED;
import static io.ambo.cluster.session.SessionTable.Merge.UNCHANGED;
import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.Seed;
import java.lang.foreign.ValueLayout;
import java.util.HexFormat;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class SessionMergeTest {
    private static final int ROUNDS = 20_000;

    @Test
    void mergingIsCommutativeAssociativeAndIdempotent() {
        SplittableRandom random = Seed.random("SessionMergeTest.mergingIsCommutativeAssociativeAndIdempotent");
        for (int round = 0; round < ROUNDS; round++) {
            Copies copies = new Copies(random);
            SessionRecord a = copies.any();
            SessionRecord b = copies.any();
            SessionRecord c = copies.any();
            assertThat(bytes(joined(a, b))).as("a + b = b + a, round %d", round).isEqualTo(bytes(joined(b, a)));
            assertThat(bytes(joined(joined(a, b), c))).as("(a + b) + c = a + (b + c), round %d", round)
                    .isEqualTo(bytes(joined(a, joined(b, c))));
            assertThat(bytes(joined(a, a))).as("a + a = a, round %d", round).isEqualTo(bytes(a));
            assertThat(bytes(joined(joined(a, b), b))).as("(a + b) + b = a + b, round %d", round).isEqualTo(bytes(joined(a, b)));
        }
    }

    @Test
    void theOutcomeSaysWhatTheMergeDid() {
        SplittableRandom random = Seed.random("SessionMergeTest.theOutcomeSaysWhatTheMergeDid");
        for (int round = 0; round < ROUNDS; round++) {
            Copies copies = new Copies(random);
            SessionRecord before = copies.any();
            SessionRecord remote = copies.any();
            SessionRecord after = copy(before);
            SessionTable.Merge outcome = SessionMerge.join(after, remote);
            boolean changed = !bytes(after).equals(bytes(before));
            int byIncarnation = SessionMerge.compareIncarnations(before, remote);
            SessionTable.Merge expected = byIncarnation > 0 ? LOST : byIncarnation < 0 ? REPLACED : changed ? ADVANCED : UNCHANGED;
            assertThat(outcome).as("round %d", round).isEqualTo(expected);
            if (outcome == LOST) assertThat(changed).isFalse();
            if (outcome == REPLACED) assertThat(bytes(after)).isEqualTo(bytes(remote));
        }
    }

    @Test
    void nodesThatHeardTheSameDeltasInAnyOrderAndNumberAreEqual() {
        SplittableRandom random = Seed.random("SessionMergeTest.nodesThatHeardTheSameDeltasInAnyOrderAndNumberAreEqual");
        for (int round = 0; round < ROUNDS / 20; round++) {
            Copies copies = new Copies(random);
            SessionRecord[] deltas = new SessionRecord[8];
            for (int i = 0; i < deltas.length; i++) deltas[i] = copies.any();
            SessionRecord one = copy(deltas[0]);
            SessionRecord other = copy(deltas[0]);
            for (SessionRecord delta : deltas) SessionMerge.join(one, delta);
            for (int i = 0; i < 30; i++) SessionMerge.join(other, deltas[random.nextInt(deltas.length)]);
            for (int i = deltas.length - 1; i >= 0; i--) SessionMerge.join(other, deltas[i]);
            assertThat(bytes(other)).as("round %d", round).isEqualTo(bytes(one));
        }
    }

    @Test
    void aHalfNeverClimbsDown() {
        SplittableRandom random = Seed.random("SessionMergeTest.aHalfNeverClimbsDown");
        for (int round = 0; round < ROUNDS; round++) {
            Copies copies = new Copies(random);
            SessionRecord local = copies.of(0);
            SessionRecord before = copy(local);
            SessionMerge.join(local, copies.of(0));
            for (boolean ofReply : new boolean[]{ false, true }) {
                TcpHalf half = ofReply ? local.reply() : local.original();
                TcpHalf halfBefore = ofReply ? before.reply() : before.original();
                assertThat(half.state()).isGreaterThanOrEqualTo(halfBefore.state());
                assertThat(half.maxWindow()).isGreaterThanOrEqualTo(halfBefore.maxWindow());
                assertThat(half.flags() & halfBefore.flags()).isEqualTo(halfBefore.flags());
                assertThat(local.bytes(ofReply)).isGreaterThanOrEqualTo(before.bytes(ofReply));
            }
            if (!local.has(SessionRecord.CLOSED)) assertThat(local.lastSeenMs()).isGreaterThanOrEqualTo(before.lastSeenMs());
        }
    }

    /** FreeBSD's pfsync copied the peer's older half over the newer one: sequence numbers rolled back and transfers stalled at 3 GiB (opnsense/src #327). */
    @Test
    void aHalfThatIsStaleIsNeverCopiedBack() {
        SplittableRandom random = Seed.random("SessionMergeTest.aHalfThatIsStaleIsNeverCopiedBack");
        for (int round = 0; round < ROUNDS; round++) {
            Copies copies = new Copies(random);
            int original = random.nextInt(1, Copies.STEPS + 1);
            int reply = random.nextInt(1, Copies.STEPS + 1);
            int staleOriginal = random.nextInt(1, Copies.STEPS + 1);
            int staleReply = random.nextInt(1, Copies.STEPS + 1);
            SessionRecord local = copies.of(original, reply);
            SessionMerge.join(local, copies.of(staleOriginal, staleReply));
            int knownOriginal = Math.max(original, staleOriginal);
            int knownReply = Math.max(reply, staleReply);
            assertThat(local.original().seqEnd()).as("round %d", round).isEqualTo((int) copies.trueSeqEnd(false, knownOriginal));
            assertThat(local.original().ack()).isEqualTo((int) copies.trueAck(false, knownOriginal));
            assertThat(local.original().maxEnd()).isEqualTo((int) copies.trueMaxEnd(false, knownReply));
            assertThat(local.reply().seqEnd()).isEqualTo((int) copies.trueSeqEnd(true, knownReply));
            assertThat(local.reply().ack()).isEqualTo((int) copies.trueAck(true, knownReply));
            assertThat(local.reply().maxEnd()).isEqualTo((int) copies.trueMaxEnd(true, knownOriginal));
        }
    }

    @Test
    void sequenceNumbersClimbOverTheWrap() {
        SessionRecord local = Sessions.session(1, 100);
        SessionRecord remote = Sessions.session(1, 100);
        local.original().advanceSeqEnd(0xFFFF_FFF0);
        remote.original().advanceSeqEnd(0x10);
        assertThat(SessionMerge.join(local, remote)).isEqualTo(ADVANCED);
        assertThat(local.original().seqEnd()).isEqualTo(0x10);
        remote.original().clear();
        remote.original().advanceSeqEnd(0xFFFF_FFF0);
        SessionMerge.join(local, remote);
        assertThat(local.original().seqEnd()).isEqualTo(0x10);
    }

    @Test
    void ofTwoFirstIncarnationsTheEarlierWinsOnBothNodes() {
        SessionRecord early = Sessions.session(2, 100);
        SessionRecord late = Sessions.session(1, 101);
        assertThat(SessionMerge.merge(copy(early), late)).isEqualTo(LOST);
        assertThat(SessionMerge.merge(copy(late), early)).isEqualTo(REPLACED);
    }

    /** Seed 97 of the simulation: a copy of the SYN waited in a paused node, whose clock was behind, so that what it opened then counted as the earlier. */
    @Test
    void aCopyThatWasNeverAnsweredDoesNotTakeOverAnEstablishedSession() {
        SessionRecord established = Sessions.session(1, 100);
        established.original().raiseState(TcpHalf.ESTABLISHED);
        established.reply().raiseState(TcpHalf.ESTABLISHED);
        SessionRecord opening = Sessions.session(2, 99);
        opening.original().raiseState(TcpHalf.SYN);
        SessionRecord here = copy(established);
        assertThat(SessionMerge.merge(here, opening)).isEqualTo(OUTLIVED);
        assertThat(here.creator()).isEqualTo(1);
        assertThat(here.epoch()).isEqualTo(1);
        assertThat(SessionMerge.merge(copy(opening), here)).as("the peer takes it over").isEqualTo(REPLACED);
        assertThat(SessionMerge.merge(here, opening)).as("and once is enough").isEqualTo(LOST);
        SessionRecord elsewhere = copy(established);
        SessionMerge.merge(elsewhere, opening);
        assertThat(SessionMerge.compareIncarnations(here, elsewhere)).as("every node makes the same of it").isZero();

        opening.original().raiseState(TcpHalf.ESTABLISHED);
        opening.reply().raiseState(TcpHalf.ESTABLISHED);
        assertThat(SessionMerge.merge(copy(established), opening)).as("both have been answered").isEqualTo(REPLACED);
        SessionRecord nextLife = Sessions.session(2, 500).incarnation(1, 500, 2);
        assertThat(SessionMerge.merge(copy(established), nextLife)).as("opened by who knew that it was over").isEqualTo(REPLACED);
    }

    /** Seed 139 of the simulation, in redirect mode: a node that did not have the last connection of these ends opened the next one. */
    @Test
    void aConnectionThatIsOverDoesNotTakeOverTheNextOne() {
        SessionRecord over = Sessions.session(1, 100);
        over.original().raiseState(TcpHalf.CLOSED);
        over.reply().raiseState(TcpHalf.CLOSED);
        SessionRecord opening = Sessions.session(2, 101);
        opening.original().raiseState(TcpHalf.SYN);
        assertThat(SessionMerge.merge(opening, over)).isEqualTo(OUTLIVED);
        assertThat(opening.epoch()).isEqualTo(1);
        assertThat(SessionMerge.merge(over, opening)).isEqualTo(REPLACED);
    }

    /** Seed 8205 of the simulation: one part had yet to see the last acknowledgement of a connection, the other one had opened the next of these ends. */
    @Test
    void aConnectionThatBothEndsHaveEndedDoesNotTakeOverTheNextOne() {
        SessionRecord ended = endedBothWays();
        SessionRecord next = Sessions.session(2, 200).lastSeenMs(10_000);
        next.original().raiseState(TcpHalf.ESTABLISHED);
        next.reply().raiseState(TcpHalf.ESTABLISHED);
        SessionRecord here = copy(next);
        assertThat(SessionMerge.merge(here, ended)).isEqualTo(OUTLIVED);
        assertThat(here.epoch()).isEqualTo(1);
        assertThat(SessionMerge.merge(copy(ended), here)).isEqualTo(REPLACED);
        SessionRecord halfEnded = Sessions.session(1, 100).lastSeenMs(10_100);
        halfEnded.original().raiseState(TcpHalf.FIN);
        halfEnded.reply().raiseState(TcpHalf.ESTABLISHED);
        assertThat(SessionMerge.merge(copy(next), halfEnded)).as("one end may go on for hours").isEqualTo(REPLACED);
    }

    private static SessionRecord endedBothWays() {
        SessionRecord ended = Sessions.session(1, 100).lastSeenMs(10_100);
        ended.original().raiseState(TcpHalf.CLOSED);
        ended.reply().raiseState(TcpHalf.FIN);
        return ended;
    }

    /** Seed 9297 of the simulation: the SYN-ACK had passed the node that took it for a packet of the last connection. */
    @Test
    void theNextConnectionIsThereAsSoonAsItsClientHasAnswered() {
        SessionRecord ended = endedBothWays();
        SessionRecord next = Sessions.session(2, 200).lastSeenMs(10_000);
        next.original().raiseState(TcpHalf.SYN);
        assertThat(SessionMerge.merge(copy(next), ended)).as("a late copy of a SYN").isEqualTo(REPLACED);
        next.reply().raiseState(TcpHalf.ESTABLISHED);
        assertThat(SessionMerge.merge(next, ended)).isEqualTo(OUTLIVED);
        assertThat(SessionMerge.merge(ended, next)).isEqualTo(REPLACED);
    }

    /** Seed 848 of the simulation: a part saw the end of a connection come again and again, the other one had opened the next connection of these ends. */
    @Test
    void aConnectionThatIsAboutToEndDoesNotTakeOverALaterOne() {
        SessionRecord ending = Sessions.session(1, 100).lastSeenMs(20_000);
        ending.original().raiseState(TcpHalf.FIN);
        ending.reply().raiseState(TcpHalf.CLOSED);
        SessionRecord next = Sessions.session(2, 200).incarnation(1, 200, 2).lastSeenMs(10_000);
        next.original().raiseState(TcpHalf.ESTABLISHED);
        next.reply().raiseState(TcpHalf.ESTABLISHED);
        assertThat(SessionMerge.merge(copy(ending), next)).isEqualTo(REPLACED);
        SessionRecord earlier = Sessions.session(2, 50).incarnation(1, 50, 2).lastSeenMs(10_000);
        assertThat(SessionMerge.merge(ending, earlier)).as("unless that is the earlier one").isEqualTo(OUTLIVED);
    }

    /** Seed 909 of the simulation: the loser's node had forwarded packets, and the winner refused what answered them. */
    @Test
    void whoWinsOverAnotherIncarnationHasNotSeenEverything() {
        SessionRecord early = Sessions.session(2, 100).localFlags(SessionRecord.COMPLETE);
        assertThat(SessionMerge.merge(early, Sessions.session(1, 101).addFlags(SessionRecord.CLOSED))).isEqualTo(LOST);
        assertThat(early.hasLocal(SessionRecord.COMPLETE)).isTrue();
        assertThat(SessionMerge.merge(early, Sessions.session(1, 101))).isEqualTo(LOST);
        assertThat(early.hasLocal(SessionRecord.COMPLETE)).isFalse();
    }

    @Test
    void aSessionOpenedOverATombstoneWinsOverIt() {
        SessionRecord tombstone = Sessions.session(1, 100).addFlags(SessionRecord.CLOSED);
        SessionRecord opened = Sessions.session(2, 500).incarnation(1, 500, 2);
        assertThat(SessionMerge.merge(copy(tombstone), opened)).isEqualTo(REPLACED);
        assertThat(SessionMerge.merge(copy(opened), tombstone)).isEqualTo(LOST);
    }

    @Test
    void aLateDeltaDoesNotReviveATombstone() {
        SessionRecord tombstone = Sessions.session(1, 100).addFlags(SessionRecord.CLOSED).timeoutMs(500);
        SessionRecord late = Sessions.session(1, 100).timeoutMs(60_000).lastSeenMs(1);
        SessionMerge.merge(tombstone, late);
        assertThat(tombstone.has(SessionRecord.CLOSED)).isTrue();
        assertThat(tombstone.timeoutMs()).isEqualTo(500);
    }

    @Test
    void aSessionWithTrafficHereOutlivesAClosingOnStaleKnowledge() {
        SessionRecord closed = Sessions.session(1, 100).addFlags(SessionRecord.CLOSED).lastSeenMs(10_000);
        SessionRecord local = Sessions.session(1, 100).localFlags(SessionRecord.REPLY_SEEN_HERE)
                .lastSeenMs(10_000 + SessionMerge.OUTLIVE_MS + 1);
        assertThat(SessionMerge.merge(local, closed)).as("the peers have yet to hear that it lives").isEqualTo(OUTLIVED);
        assertThat(local.has(SessionRecord.CLOSED)).isFalse();
        assertThat(local.epoch()).isEqualTo(1);
        assertThat(SessionMerge.merge(copy(closed), local)).as("and takes it over when it does").isEqualTo(REPLACED);
        assertThat(SessionMerge.merge(local, closed)).isEqualTo(LOST);
        assertThat(local.epoch()).as("once").isEqualTo(1);
    }

    /** Seed 521 of the simulation: the tombstone came by way of a node that had heard of later packets, and looked as if its author had known of them. */
    @Test
    void aClosingOnStaleKnowledgeIsKnownByWhoeverPassesItOn() {
        SessionRecord closed = Sessions.session(1, 100).addFlags(SessionRecord.CLOSED).lastSeenMs(10_000);
        SessionRecord between = Sessions.session(1, 100).lastSeenMs(19_900);
        SessionMerge.merge(between, closed);
        SessionRecord local = Sessions.session(1, 100).localFlags(SessionRecord.REPLY_SEEN_HERE).lastSeenMs(20_000);
        assertThat(SessionMerge.merge(local, between)).isEqualTo(OUTLIVED);
    }

    /** Seed 695 of the simulation: a node came back with a connection of the same ends that was long over, but had been opened more often. */
    @Test
    void anEarlierConnectionThatIsOverDoesNotTakeOverALaterOne() {
        SessionRecord over = Sessions.session(1, 100).incarnation(1, 100, 1).lastSeenMs(10_000);
        over.original().raiseState(TcpHalf.CLOSED);
        over.reply().raiseState(TcpHalf.CLOSED);
        SessionRecord established = Sessions.session(2, 500).lastSeenMs(20_000);
        established.original().raiseState(TcpHalf.ESTABLISHED);
        established.reply().raiseState(TcpHalf.ESTABLISHED);
        assertThat(SessionMerge.merge(established, over)).isEqualTo(OUTLIVED);
        assertThat(established.epoch()).isEqualTo(2);
        SessionRecord same = copy(over).lastSeenMs(20_000);
        same.original().clear();
        same.original().raiseState(TcpHalf.ESTABLISHED);
        assertThat(SessionMerge.merge(same, over)).as("the end of this very connection").isEqualTo(ADVANCED);
    }

    /** Seeds 2087 and 2317 of the simulation: a node that was away when a connection ended still takes it for established. */
    @Test
    void ofTwoConnectionsOfTheSameEndsTheOneThatIsStillSeenGoesOn() {
        SessionRecord ended = Sessions.session(1, 100).lastSeenMs(10_000);
        ended.original().raiseState(TcpHalf.ESTABLISHED);
        ended.reply().raiseState(TcpHalf.ESTABLISHED);
        SessionRecord opening = Sessions.session(2, 99).lastSeenMs(20_000);
        opening.original().raiseState(TcpHalf.SYN);
        assertThat(SessionMerge.merge(copy(ended), opening)).as("nothing is left to protect").isEqualTo(REPLACED);
        SessionRecord alive = Sessions.session(2, 101).lastSeenMs(20_000);
        alive.original().raiseState(TcpHalf.ESTABLISHED);
        alive.reply().raiseState(TcpHalf.ESTABLISHED);
        assertThat(SessionMerge.merge(alive, ended)).isEqualTo(OUTLIVED);
        assertThat(SessionMerge.merge(ended, alive)).isEqualTo(REPLACED);
    }

    @Test
    void aClosingIsTakenOverWhereNoLaterPacketWasSeen() {
        SessionRecord closed = Sessions.session(1, 100).addFlags(SessionRecord.CLOSED).lastSeenMs(10_000);
        SessionRecord idleHere = Sessions.session(1, 100).localFlags(SessionRecord.REPLY_SEEN_HERE).lastSeenMs(10_500);
        assertThat(SessionMerge.merge(idleHere, closed)).isEqualTo(ADVANCED);
        assertThat(idleHere.has(SessionRecord.CLOSED)).isTrue();
        SessionRecord heardOf = Sessions.session(1, 100).lastSeenMs(90_000);
        SessionMerge.merge(heardOf, closed);
        assertThat(heardOf.has(SessionRecord.CLOSED)).as("only a node that sees the packets itself can object").isTrue();
    }

    @Test
    void newsOfAFlowFromAPeerEndsThatItIsFollowedHere() {
        int all = SessionRecord.ORIGINAL_SEEN_HERE | SessionRecord.REPLY_SEEN_HERE | SessionRecord.ORIGINAL_FOLLOWED
                | SessionRecord.REPLY_FOLLOWED
                | SessionRecord.COMPLETE;
        SessionRecord local = Sessions.session(1, 100).localFlags(all);
        local.original().advanceSeqEnd(1000);
        SessionRecord remote = new SessionRecord().copyFrom(local);
        SessionMerge.merge(local, remote);
        assertThat(local.localFlags()).as("nothing new").isEqualTo(all);
        remote.original().advanceSeqEnd(1001);
        SessionMerge.merge(local, remote);
        assertThat(local.localFlags()).isEqualTo(all & ~(SessionRecord.ORIGINAL_FOLLOWED | SessionRecord.COMPLETE));
    }

    @Test
    void localFlagsStayLocal() {
        SessionRecord local = Sessions.session(1, 101).localFlags(SessionRecord.ORIGINAL_SEEN_HERE);
        SessionMerge.merge(local, Sessions.session(1, 101).localFlags(SessionRecord.REPLY_SEEN_HERE));
        assertThat(local.localFlags()).isEqualTo(SessionRecord.ORIGINAL_SEEN_HERE);
        SessionMerge.merge(local, Sessions.session(1, 100).localFlags(SessionRecord.REPLY_SEEN_HERE));
        assertThat(local.localFlags()).isEqualTo(SessionRecord.ORIGINAL_SEEN_HERE);
    }

    private static SessionRecord joined(SessionRecord a, SessionRecord b) {
        SessionRecord result = copy(a);
        SessionMerge.join(result, b);
        return result;
    }

    private static SessionRecord copy(SessionRecord session) { return new SessionRecord().copyFrom(session); }

    private static String bytes(SessionRecord session) {
        return HexFormat.of().formatHex(session.segment().asSlice(session.offset(), SessionRecord.SIZE).toArray(ValueLayout.JAVA_BYTE));
    }
}
