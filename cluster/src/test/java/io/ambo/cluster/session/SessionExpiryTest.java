package io.ambo.cluster.session;

import static io.ambo.cluster.session.SessionExpiry.Action.CLOSE;
import static io.ambo.cluster.session.SessionExpiry.Action.FORGET;
import static io.ambo.cluster.session.SessionExpiry.Action.KEEP;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class SessionExpiryTest {
    private static final long SEEN_MS = 10_000;
    private static final long DUE_MS = SEEN_MS + 5_000;
    private final SessionExpiry expiry = new SessionExpiry(60_000, 30_000);
    private final SessionRecord session = Sessions.session(1, 100).lastSeenMs(SEEN_MS).timeoutMs(5_000);

    @Test
    void theOwnerClosesASessionWhenItsTimeoutStrikes() {
        assertThat(expiry.decide(session, DUE_MS - 1, true, true)).isEqualTo(KEEP);
        assertThat(expiry.decide(session, DUE_MS, true, true)).isEqualTo(CLOSE);
    }

    @Test
    void anotherNodeWaitsAGraceForAnOwnerThatIsGone() {
        assertThat(expiry.decide(session, DUE_MS + 29_999, false, false)).isEqualTo(KEEP);
        assertThat(expiry.decide(session, DUE_MS + 30_000, false, false)).isEqualTo(CLOSE);
    }

    @Test
    void anotherNodeWaitsLongButNotForeverForAnOwnerThatIsThere() {
        assertThat(expiry.decide(session, DUE_MS + 30_000, false, true)).isEqualTo(KEEP);
        assertThat(expiry.decide(session, DUE_MS + 30_000 * SessionExpiry.OWNER_GRACES, false, true)).isEqualTo(CLOSE);
    }

    @Test
    void aTombstoneStandsForItsTimeFromTheClosingAndIsForgottenByEverybody() {
        expiry.close(session, DUE_MS);
        assertThat(session.has(SessionRecord.CLOSED)).isTrue();
        assertThat(session.lastSeenMs()).as("tells other nodes whether they saw later packets").isEqualTo(SEEN_MS);
        assertThat(expiry.decide(session, DUE_MS + 59_999, true, true)).isEqualTo(KEEP);
        assertThat(expiry.decide(session, DUE_MS + 60_000, true, true)).isEqualTo(FORGET);
        assertThat(expiry.decide(session, DUE_MS + 60_000, false, true)).isEqualTo(FORGET);
    }

    @Test
    void aSessionClosedBeforeItsTimeoutIsATombstoneAsLong() {
        session.timeoutMs(Integer.MAX_VALUE);
        expiry.close(session, SEEN_MS + 1);
        assertThat(session.expiresInMs(SEEN_MS + 1)).isEqualTo(60_000);
    }

    @Test
    void theLongestTimeoutDoesNotOverflow() {
        session.timeoutMs(Integer.MAX_VALUE);
        expiry.close(session, SEEN_MS + Integer.MAX_VALUE);
        assertThat(session.timeoutMs()).isEqualTo(Integer.MAX_VALUE);
    }
}
