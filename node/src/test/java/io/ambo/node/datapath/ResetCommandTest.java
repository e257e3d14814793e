package io.ambo.node.datapath;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import org.junit.jupiter.api.Test;

class ResetCommandTest {
    private final SessionKey key = new SessionKey();
    private final SessionRecord session = new SessionRecord();

    @Test
    void anAcknowledgementThatTheOtherNodeSawAndThisOneDidNotDoesNotTurnTheResetBack() {
        session.original().advanceSeqEnd(1_001);
        session.original().advanceAck(5_001);
        session.reply().advanceAck(1_000);
        session.reply().advanceSeqEnd(5_000);

        ResetCommand reset = ResetCommand.of(key, session);

        assertThat(reset.toReply().seq()).isEqualTo(1_001);
        assertThat(reset.toOriginal().seq()).isEqualTo(5_001);
    }

    @Test
    void sequenceNumbersThatWrapAreComparedAsSerialNumbers() {
        session.original().advanceSeqEnd(5);
        session.reply().advanceAck(-5);

        assertThat(ResetCommand.of(key, session).toReply().seq()).isEqualTo(5);
    }

    @Test
    void aHalfOfWhichNothingIsKnownDoesNotCount() {
        session.original().advanceSeqEnd(-1_000_000);

        ResetCommand reset = ResetCommand.of(key, session);

        assertThat(reset.toReply().seq()).isEqualTo(-1_000_000);
        assertThat(reset.toOriginal().ack()).isEqualTo(-1_000_000);
    }
}
