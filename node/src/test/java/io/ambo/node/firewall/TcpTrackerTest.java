package io.ambo.node.firewall;

import static io.ambo.node.packet.PacketView.ACK;
import static io.ambo.node.packet.PacketView.FIN;
import static io.ambo.node.packet.PacketView.RST;
import static io.ambo.node.packet.PacketView.SYN;
import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.PacketBuilder;
import io.ambo.node.packet.PacketView;
import org.junit.jupiter.api.Test;

class TcpTrackerTest {
    private static final int CLIENT_ISN = 1000;
    private static final int SERVER_ISN = 0xFFFF_F000; // wraps soon
    private final SessionRecord session = new SessionRecord();

    @Test
    void aHandshakeClimbsBothHalvesAndKeepsTheScales() {
        establish();
        assertThat(session.original().state()).isEqualTo(TcpHalf.ESTABLISHED);
        assertThat(session.reply().state()).isEqualTo(TcpHalf.ESTABLISHED);
        assertThat(session.original().scale()).isEqualTo(7);
        assertThat(session.reply().maxEnd()).isEqualTo(SERVER_ISN + 1 + (500 << 7));
        assertThat(Timeouts.phase(session, PacketView.TCP)).isEqualTo(Timeouts.Phase.ESTABLISHED);
    }

    @Test
    void dataInsideTheWindowPassesAndBeyondItIsRefused() {
        establish();
        assertThat(fromClient(CLIENT_ISN + 1, SERVER_ISN + 1, ACK, 1000)).isEqualTo(DropReason.NONE);
        assertThat(fromClient(CLIENT_ISN + 1001 + 10_000_000, SERVER_ISN + 1, ACK, 1000)).isEqualTo(DropReason.TCP_OUT_OF_WINDOW);
        assertThat(fromClient(CLIENT_ISN + 1001 - 10_000_000, SERVER_ISN + 1, ACK, 1000)).isEqualTo(DropReason.TCP_OUT_OF_WINDOW);
    }

    @Test
    void sequenceNumbersMayWrap() {
        establish();
        int seq = SERVER_ISN + 1;
        for (int i = 0; i < 20; i++) {
            assertThat(fromServer(seq, CLIENT_ISN + 1, ACK, 1000)).isEqualTo(DropReason.NONE);
            seq += 1000;
            assertThat(fromClient(CLIENT_ISN + 1, seq, ACK, 0)).isEqualTo(DropReason.NONE);
        }
        assertThat(session.reply().seqEnd()).isEqualTo(SERVER_ISN + 1 + 20_000);
    }

    @Test
    void anAcknowledgementOfWhatWasNeverSentIsRefused() {
        establish();
        assertThat(fromClient(CLIENT_ISN + 1, SERVER_ISN + 5000, ACK, 0)).isEqualTo(DropReason.TCP_ACK_OUT_OF_WINDOW);
    }

    @Test
    void anRstCountsOnlyAtTheExactSequenceNumber() {
        establish();
        assertThat(fromClient(CLIENT_ISN + 1 + 100, SERVER_ISN + 1, RST | ACK, 0)).isEqualTo(DropReason.TCP_RST_OUT_OF_WINDOW);
        assertThat(fromClient(CLIENT_ISN + 99_000_000, SERVER_ISN + 1, RST, 0)).isEqualTo(DropReason.TCP_RST_OUT_OF_WINDOW);
        assertThat(Timeouts.phase(session, PacketView.TCP)).isEqualTo(Timeouts.Phase.ESTABLISHED);
        assertThat(fromClient(CLIENT_ISN + 1, SERVER_ISN + 1, RST, 0)).isEqualTo(DropReason.NONE);
        assertThat(Timeouts.phase(session, PacketView.TCP)).isEqualTo(Timeouts.Phase.CLOSED);
    }

    @Test
    void aRefusedConnectionIsOver() {
        TcpTracker.open(session, client(CLIENT_ISN, 0, SYN, 0));
        assertThat(fromServer(0, CLIENT_ISN + 7, RST | ACK, 0)).isEqualTo(DropReason.TCP_RST_OUT_OF_WINDOW);
        assertThat(fromServer(0, CLIENT_ISN + 1, RST | ACK, 0)).isEqualTo(DropReason.NONE);
        assertThat(Timeouts.phase(session, PacketView.TCP)).isEqualTo(Timeouts.Phase.CLOSED);
    }

    @Test
    void aSynInsideTheWindowIsRefusedAndOneOutsidePassesForItsChallengeAck() {
        establish();
        assertThat(fromClient(CLIENT_ISN + 100, 0, SYN, 0)).isEqualTo(DropReason.TCP_SYN_IN_SESSION);
        assertThat(fromClient(CLIENT_ISN + 900_000_000, 0, SYN, 0)).isEqualTo(DropReason.NONE);
        assertThat(session.original().seqEnd()).isEqualTo(CLIENT_ISN + 1);
        assertThat(fromServer(SERVER_ISN + 1, CLIENT_ISN + 1, ACK, 0)).isEqualTo(DropReason.NONE);
        assertThat(fromClient(CLIENT_ISN + 1, 0, RST, 0)).as("the host that forgot resets").isEqualTo(DropReason.NONE);
    }

    @Test
    void aSynAckMustAcknowledgeTheSyn() {
        TcpTracker.open(session, client(CLIENT_ISN, 0, SYN, 0));
        assertThat(fromServer(SERVER_ISN, CLIENT_ISN + 2, SYN | ACK, 0)).isEqualTo(DropReason.TCP_ACK_OUT_OF_WINDOW);
        assertThat(fromServer(SERVER_ISN, CLIENT_ISN + 1, SYN | ACK, 0)).isEqualTo(DropReason.NONE);
    }

    @Test
    void bothFinsAcknowledgedEndTheSessionAndANewSynReopensIt() {
        establish();
        assertThat(fromClient(CLIENT_ISN + 1, SERVER_ISN + 1, FIN | ACK, 0)).isEqualTo(DropReason.NONE);
        assertThat(Timeouts.phase(session, PacketView.TCP)).isEqualTo(Timeouts.Phase.CLOSING);
        assertThat(fromServer(SERVER_ISN + 1, CLIENT_ISN + 2, FIN | ACK, 0)).isEqualTo(DropReason.NONE);
        assertThat(fromClient(CLIENT_ISN + 2, SERVER_ISN + 2, ACK, 0)).isEqualTo(DropReason.NONE);
        assertThat(Timeouts.phase(session, PacketView.TCP)).isEqualTo(Timeouts.Phase.CLOSED);
        assertThat(TcpTracker.reopens(session, session.original(), session.reply(), client(77, 0, SYN, 0))).isTrue();
    }

    @Test
    void aRepeatedSynIsTheSameSessionAndAnotherSequenceNumberIsANewOne() {
        TcpTracker.open(session, client(CLIENT_ISN, 0, SYN, 0));
        assertThat(TcpTracker.reopens(session, session.original(), session.reply(), client(CLIENT_ISN, 0, SYN, 0))).isFalse();
        assertThat(fromClient(CLIENT_ISN, 0, SYN, 0)).isEqualTo(DropReason.NONE);
        assertThat(TcpTracker.reopens(session, session.original(), session.reply(), client(CLIENT_ISN + 5, 0, SYN, 0))).isTrue();
    }

    @Test
    void simultaneousOpenIsAHandshakeToo() {
        TcpTracker.open(session, client(CLIENT_ISN, 0, SYN, 0));
        assertThat(fromServer(SERVER_ISN, 0, SYN, 0)).isEqualTo(DropReason.NONE);
        assertThat(fromClient(CLIENT_ISN, SERVER_ISN + 1, SYN | ACK, 0)).isEqualTo(DropReason.NONE);
        assertThat(fromServer(SERVER_ISN, CLIENT_ISN + 1, SYN | ACK, 0)).isEqualTo(DropReason.NONE);
        assertThat(Timeouts.phase(session, PacketView.TCP)).isEqualTo(Timeouts.Phase.ESTABLISHED);
    }

    @Test
    void theAckOfAHandshakePassesBeforeThePeersDeltaOfTheSynAckIsHere() {
        TcpTracker.open(session, client(CLIENT_ISN, 0, SYN, 0));
        PacketView ack = client(CLIENT_ISN + 1, SERVER_ISN + 1, ACK, 0);
        assertThat(TcpTracker.track(session, session.original(), session.reply(), ack, false, false)).isEqualTo(DropReason.NONE);
        assertThat(session.reply().state()).isEqualTo(TcpHalf.ESTABLISHED);
        assertThat(session.reply().has(TcpHalf.SEQ_KNOWN)).isFalse();
    }

    @Test
    void onAnAsymmetricPathTheWindowHasASlackAndAnEnd() {
        establish();
        int limit = session.original().maxEnd();
        PacketView ahead = client(limit + 40_000, SERVER_ISN + 1, ACK, 1000);
        assertThat(TcpTracker.track(session, session.original(), session.reply(), ahead, true, false))
                .isEqualTo(DropReason.TCP_OUT_OF_WINDOW);
        PacketView forged = client(limit + 50_000_000, SERVER_ISN + 1, ACK, 1000);
        assertThat(TcpTracker.track(session, session.original(), session.reply(), forged, false, false))
                .isEqualTo(DropReason.TCP_OUT_OF_WINDOW);
        assertThat(TcpTracker.track(session, session.original(), session.reply(), ahead, false, false)).isEqualTo(DropReason.NONE);
    }

    @Test
    void aSessionPickedUpMidStreamAssumesTheLargestWindow() {
        TcpTracker.open(session, client(5000, 9000, ACK, 100));
        assertThat(session.has(SessionRecord.MID_STREAM)).isTrue();
        assertThat(fromServer(9000, 5100, ACK, 1000)).isEqualTo(DropReason.NONE);
        assertThat(fromClient(5100, 10_000, ACK, 1000)).isEqualTo(DropReason.NONE);
    }

    @Test
    void aZeroWindowProbePasses() {
        establish();
        assertThat(TcpTracker.track(session, session.reply(), session.original(), server(SERVER_ISN + 1, CLIENT_ISN + 1, ACK, 0, 0), true,
                false))
                .isEqualTo(DropReason.NONE);
        assertThat(fromClient(CLIENT_ISN + 1, SERVER_ISN + 1, ACK, 1)).isEqualTo(DropReason.NONE);
    }

    /** Seed 2364 of the simulation: after a partition, a node that had seen the SYN alone got the rest of the connection. */
    @Test
    void aHalfWhoseSynPassedElsewhereIsEstablishedOnceItsSegmentsAreAnswered() {
        TcpTracker.open(session, client(CLIENT_ISN, 0, SYN, 0));
        PacketView data = server(SERVER_ISN + 1, CLIENT_ISN + 1, ACK, 100, 500);
        assertThat(TcpTracker.track(session, session.reply(), session.original(), data, false, false)).isEqualTo(DropReason.NONE);
        assertThat(session.original().state()).isEqualTo(TcpHalf.ESTABLISHED);
        assertThat(session.reply().state()).as("not answered yet").isEqualTo(TcpHalf.NONE);
        PacketView answer = client(CLIENT_ISN + 1, SERVER_ISN + 101, ACK, 0);
        assertThat(TcpTracker.track(session, session.original(), session.reply(), answer, false, false)).isEqualTo(DropReason.NONE);
        assertThat(session.reply().state()).isEqualTo(TcpHalf.ESTABLISHED);
    }

    private void establish() {
        TcpTracker.open(session, client(CLIENT_ISN, 0, SYN, 0));
        assertThat(fromServer(SERVER_ISN, CLIENT_ISN + 1, SYN | ACK, 0)).isEqualTo(DropReason.NONE);
        assertThat(fromClient(CLIENT_ISN + 1, SERVER_ISN + 1, ACK, 0)).isEqualTo(DropReason.NONE);
        session.localFlags(SessionRecord.ORIGINAL_SEEN_HERE | SessionRecord.REPLY_SEEN_HERE);
    }

    private DropReason fromClient(int seq, int ack, int flags, int payload) {
        return TcpTracker.track(session, session.original(), session.reply(), client(seq, ack, flags, payload), true, false);
    }

    private DropReason fromServer(int seq, int ack, int flags, int payload) {
        return TcpTracker.track(session, session.reply(), session.original(), server(seq, ack, flags, payload, 500), true, false);
    }

    private static PacketView client(int seq, int ack, int flags, int payload) {
        PacketBuilder builder = PacketBuilder.tcp4().from("10.0.0.7", 51_022).to("10.1.0.3", 443).flags(flags).seq(seq).ack(ack).window(500)
                .payload(payload);
        return ((flags & SYN) != 0 ? builder.scale(7) : builder).parsed();
    }

    private static PacketView server(int seq, int ack, int flags, int payload, int window) {
        PacketBuilder builder = PacketBuilder.tcp4().from("10.1.0.3", 443).to("10.0.0.7", 51_022).flags(flags).seq(seq).ack(ack)
                .window((flags & SYN) != 0 ? 60_000 : window)
                .payload(payload);
        return ((flags & SYN) != 0 ? builder.scale(7) : builder).parsed();
    }
}
