package io.ambo.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.EventLog.Event;
import io.ambo.cluster.EventLog.Kind;
import io.ambo.cluster.EventLog.Page;
import io.ambo.cluster.time.FakeClock;
import org.junit.jupiter.api.Test;

class EventLogTest {
    private static final long RUN = 4711;
    private final FakeClock clock = new FakeClock();
    private final EventLog log = new EventLog(clock, RUN);

    @Test
    void keepsTheNewestAndSaysHowManyAreGone() {
        for (int i = 1; i <= EventLog.SIZE + 10; i++) log.add(Kind.VIEW, "view " + i);
        Page page = log.after(RUN, 0, 3);
        assertThat(page.missed()).isEqualTo(10);
        assertThat(page.events()).extracting(Event::text).containsExactly("view 11", "view 12", "view 13");
        assertThat(log.after(RUN, page.next(), 1).events()).extracting(Event::text).containsExactly("view 14");
        assertThat(log.newest(2).events()).extracting(Event::text).containsExactly("view 1033", "view 1034");
        assertThat(log.newest(2).next()).isEqualTo(EventLog.SIZE + 10);
    }

    @Test
    void aFloodOfOneKindIsOneEventWithACount() {
        log.add(Kind.GATE, "open");
        for (int i = 0; i < 10_000; i++) log.add(Kind.REFUSAL, "another key");
        assertThat(log.newest(10).events()).extracting(Event::kind).containsExactly(Kind.GATE, Kind.REFUSAL);
        assertThat(log.newest(1).events().getFirst().times()).isEqualTo(10_000);
    }

    @Test
    void whatIsSaidAgainAMinuteLaterIsAnEventOfItsOwn() {
        log.add(Kind.REFUSAL, "another key");
        clock.advanceMs(60_000);
        log.add(Kind.REFUSAL, "another key");
        assertThat(log.newest(10).events()).extracting(Event::times).containsExactly(1, 1);
        assertThat(log.newest(10).events()).extracting(Event::ageMs).containsExactly(60_000L, 0L);
    }

    @Test
    void whatHappensAgainAfterSomethingElseOfItsKindIsTold() {
        log.add(Kind.GATE, "open");
        log.add(Kind.GATE, "closed");
        log.add(Kind.GATE, "open");
        assertThat(log.newest(10).events()).extracting(Event::text).containsExactly("open", "closed", "open");
    }

    @Test
    void aNumberOfAnotherRunMeansFromTheStart() {
        log.add(Kind.NODE, "started");
        assertThat(log.after(RUN + 1, 99, 10).events()).extracting(Event::text).containsExactly("started");
        assertThat(log.after(RUN, 1, 10).events()).isEmpty();
    }
}
