package io.ambo.cluster.replication;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.replication.Backlogs.Backlog;
import io.ambo.cluster.replication.Backlogs.Change;
import io.ambo.cluster.replication.NodeStateCodec.Progress;
import java.util.List;
import org.junit.jupiter.api.Test;

class BacklogsTest {
    private static final NodeId A = NodeId.of("a"), B = NodeId.of("b"), C = NodeId.of("c");
    private static final View VIEW = new View(1, A, List.of(A, B, C));
    private static final long RUN = 7;

    private long sent = 100;
    private long nowMs = 1_000;
    private final Backlogs backlogs = new Backlogs(peer -> new Replicator.Sent(RUN, sent));

    private List<Change> look() {
        nowMs += 100;
        return backlogs.look(VIEW, nowMs);
    }

    private void has(NodeId peer, long number) { backlogs.onProgress(peer, new Progress(A.value(), RUN, number)); }

    @Test
    void whoHasWhatWasSentAMomentAgoKeepsUp() {
        for (int i = 0; i < 50; i++) {
            sent += 100;
            assertThat(look()).isEmpty();
            has(B, sent - 150);
            has(C, sent);
        }
        assertThat(backlogs.of(B, nowMs)).isEqualTo(Backlog.NONE);
    }

    @Test
    void howOldTheFirstIsThatIsNotThere() {
        look();
        has(B, 100);
        has(C, 100);
        sent = 120;
        for (int i = 0; i < 4; i++) {
            assertThat(look()).isEmpty();
            has(C, sent);
        }
        sent = 400;
        assertThat(look()).containsExactly(new Change(B, true, new Backlog(300, 500), new Backlog(300, 500)));
        assertThat(backlogs.of(B, nowMs)).isEqualTo(new Backlog(300, 500));
        assertThat(backlogs.of(C, nowMs)).isEqualTo(Backlog.NONE);
        has(C, 400);
        has(B, 101);
        assertThat(look()).isEmpty();
        assertThat(backlogs.of(B, nowMs)).isEqualTo(new Backlog(299, 600));
        has(B, 400);
        assertThat(look()).containsExactly(new Change(B, false, Backlog.NONE, new Backlog(299, 600)));
    }

    @Test
    void anOlderWordThatComesLaterIsNotHeard() {
        look();
        has(B, 100);
        has(B, 50);
        for (int i = 0; i < 10; i++) assertThat(look()).isEmpty();
    }

    @Test
    void ofAnotherRunNothingIsKnown() {
        look();
        backlogs.onProgress(B, new Progress(A.value(), RUN + 1, 3));
        for (int i = 0; i < 10; i++) assertThat(look()).isEmpty();
    }

    @Test
    void whoLeavesIsForgotten() {
        look();
        has(B, 50);
        for (int i = 0; i < 10; i++) look();
        assertThat(backlogs.of(B, nowMs).batches()).isEqualTo(50);
        assertThat(backlogs.look(new View(2, A, List.of(A, C)), nowMs)).isEmpty();
        assertThat(backlogs.of(B, nowMs)).isEqualTo(Backlog.NONE);
    }
}
