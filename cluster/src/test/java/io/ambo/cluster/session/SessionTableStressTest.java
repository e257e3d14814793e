package io.ambo.cluster.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.Seed;
import io.ambo.cluster.time.Clock;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Packet workers and receiving threads on the same sessions at once. */
class SessionTableStressTest {
    private static final int KEYS = 300;
    private static final int OPERATIONS = 400_000;
    private static final int CAPACITY = 250;

    @Test
    void halvesOnlyClimbAndNoPacketGoesUncounted(@TempDir Path dir) throws Exception {
        SplittableRandom random = Seed.random("SessionTableStressTest.halvesOnlyClimbAndNoPacketGoesUncounted");
        try (SessionTable table = ChronicleSessionTable.open(dir, KEYS, Clock.SYSTEM); var threads = Executors.newFixedThreadPool(3)) {
            for (int i = 0; i < KEYS; i++) table.insert(Sessions.key(i), Sessions.session(1, 100));
            SplittableRandom workers = random.split();
            SplittableRandom more = random.split();
            SplittableRandom merging = random.split();
            List<Callable<long[]>> tasks = List.of(() -> work(table, workers), () -> work(table, more), () -> merge(table, merging));
            long[] counted = new long[KEYS];
            for (Future<long[]> done : threads.invokeAll(tasks)) {
                for (int i = 0; i < KEYS; i++) counted[i] += done.get()[i];
            }
            SessionRecord out = new SessionRecord();
            for (int i = 0; i < KEYS; i++) {
                assertThat(table.read(Sessions.key(i), out)).isTrue();
                assertThat(out.packets(false)).as("packets of session %d", i).isEqualTo(counted[i]);
            }
        }
    }

    @Test
    void theQuotaHoldsWhileThreadsInsertAndRemove(@TempDir Path dir) throws Exception {
        SplittableRandom random = Seed.random("SessionTableStressTest.theQuotaHoldsWhileThreadsInsertAndRemove");
        try (SessionTable table = ChronicleSessionTable.open(dir, CAPACITY, Clock.SYSTEM); var threads = Executors.newFixedThreadPool(2)) {
            List<Callable<Void>> tasks = new ArrayList<>();
            for (int thread = 0; thread < 2; thread++) {
                SplittableRandom own = random.split();
                tasks.add(() -> churn(table, own));
            }
            for (Future<Void> done : threads.invokeAll(tasks)) done.get();
            int seen = 0;
            for (int slice = 0; slice < table.slices(); slice++) seen += table.sweep(slice, (key, session) -> false);
            assertThat(table.size()).isEqualTo(seen).isLessThanOrEqualTo(CAPACITY);
        }
    }

    private static long[] work(SessionTable table, SplittableRandom random) {
        long[] counted = new long[KEYS];
        SessionKey key = new SessionKey();
        for (int i = 0; i < OPERATIONS; i++) {
            int number = random.nextInt(KEYS);
            Sessions.setKey(key, number);
            int sequence = i;
            boolean found = table.update(key, (k, session) -> {
                int before = session.original().seqEnd();
                session.original().advanceSeqEnd(sequence);
                session.original().raiseState(sequence % 5);
                session.count(false, 1, 0);
                if (TcpHalf.after(before, session.original().seqEnd())) throw new AssertionError("climbed down from " + before);
            });
            if (!found) throw new AssertionError("session " + number + " is gone");
            counted[number]++;
        }
        return counted;
    }

    /** Merges what it has read a moment ago: stale, so it must change nothing that a worker has done since. */
    private static long[] merge(SessionTable table, SplittableRandom random) {
        SessionKey key = new SessionKey();
        SessionRecord stale = new SessionRecord();
        SessionRecord now = new SessionRecord();
        for (int i = 0; i < OPERATIONS; i++) {
            Sessions.setKey(key, random.nextInt(KEYS));
            if (!table.read(key, stale)) throw new AssertionError("a session is gone");
            SessionTable.Merge outcome = table.merge(key, stale);
            table.read(key, now);
            if (outcome != SessionTable.Merge.UNCHANGED) throw new AssertionError(outcome + " by a stale copy");
            if (TcpHalf.after(stale.original().seqEnd(), now.original().seqEnd()) || now.original().state() < stale.original().state())
                throw new AssertionError("a half climbed down");
        }
        return new long[KEYS];
    }

    private static Void churn(SessionTable table, SplittableRandom random) {
        SessionKey key = new SessionKey();
        SessionRecord session = Sessions.session(1, 100);
        for (int i = 0; i < OPERATIONS; i++) {
            Sessions.setKey(key, random.nextInt(KEYS));
            if (random.nextInt(3) == 0) table.remove(key);
            else if (random.nextBoolean()) table.insert(key, session);
            else
                table.merge(key, session);
            if (table.size() > CAPACITY + 2) throw new AssertionError("quota exceeded: " + table.size());
        }
        return null;
    }
}
