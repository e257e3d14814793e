package io.ambo.cluster.session;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.ambo.cluster.time.Clock;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SessionTableAllocationTest {
    private static final int SESSIONS = 20_000;
    private static final int OPERATIONS = 1_000_000;
    /** What the compiler and the measuring itself may leave; far from one object for each operation. */
    private static final long SLACK_BYTES = 64 * 1024;

    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private final SessionKey key = new SessionKey();
    private final SessionRecord session = Sessions.session(1, 100);
    private final SessionRecord out = new SessionRecord();

    @Test
    void noOperationAllocates(@TempDir Path dir) {
        try (SessionTable table = ChronicleSessionTable.open(dir, SESSIONS, Clock.SYSTEM)) {
            for (int i = 0; i < SESSIONS; i++) table.insert(keyOf(i), session);
            SessionTable.Visitor visitor = (found, record) -> record.count(true, 1, 60);
            SessionTable.Sweep sweep = (found, record) -> record.has(SessionRecord.CLOSED);
            assertNoAllocation("update", i -> table.update(keyOf(i), visitor));
            assertNoAllocation("read", i -> table.read(keyOf(i), out));
            assertNoAllocation("merge into a session", i -> table.merge(keyOf(i), session.lastSeenMs(i)));
            assertNoAllocation("remove, insert, insert again", i -> {
                table.remove(keyOf(i));
                table.insert(keyOf(i), session);
                table.insert(keyOf(i), session);
            });
            assertNoAllocation("merge of a new session", i -> {
                table.remove(keyOf(i));
                table.merge(keyOf(i), session);
            });
            assertNoAllocation("refusal when full", i -> {
                table.insert(keyOf(SESSIONS + i), session);
                table.merge(keyOf(SESSIONS + i), session);
            });
            assertNoAllocation("sweep", i -> {
                if (i % 100 == 0) table.sweep(i / 100 % table.slices(), sweep);
            });
        }
    }

    private SessionKey keyOf(int number) {
        Sessions.setKey(key, number % (2 * SESSIONS));
        return key;
    }

    private void assertNoAllocation(String what, IntConsumer operation) {
        for (int i = 0; i < OPERATIONS / 5; i++) operation.accept(i % SESSIONS);
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < OPERATIONS; i++) operation.accept(i % SESSIONS);
        assertThat(threads.getCurrentThreadAllocatedBytes() - before).as("bytes for %d times %s", OPERATIONS, what).isLessThan(SLACK_BYTES);
    }
}
