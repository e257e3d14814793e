package io.ambo.cluster.session;

import io.ambo.cluster.time.Clock;
import java.io.PrintStream;
import java.nio.file.Path;

/**
 * A process that works on a table until it is killed. Its first thread inserts sessions and updates them over and over, and says on standard output how far
 * it is; the second inserts and removes others, so that the kill also hits half-done insertions and removals.
 */
final class HammeringProcess {
    static final int CAPACITY = 40_000;
    /** Sessions that are only added to and updated. */
    static final int KEPT = 15_000;
    /** Sessions that come and go. */
    static final int CHURNED = 15_000;
    private static final int ACKNOWLEDGE_EVERY = 256;

    private HammeringProcess() {}

    /** @param args the state directory, and the number of the first operation */
    public static void main(String[] args) {
        SessionTable table = ChronicleSessionTable.open(Path.of(args[0]), CAPACITY, Clock.SYSTEM);
        Thread churn = new Thread(() -> churn(table), "churn");
        churn.setDaemon(true);
        churn.start();
        keep(table, Integer.parseInt(args[1]));
    }

    /** Operation n concerns session n modulo KEPT, and leaves n in its rule. */
    private static void keep(SessionTable table, int first) {
        PrintStream out = System.out;
        SessionKey key = new SessionKey();
        SessionRecord session = Sessions.session(1, 100);
        int[] operation = new int[1];
        SessionTable.Visitor visitor = (found, record) -> record.rule(operation[0]);
        for (int n = first;; n++) {
            Sessions.setKey(key, n % KEPT);
            operation[0] = n;
            if (!table.update(key, visitor) && table.insert(key, session.rule(n)) != SessionTable.Insert.INSERTED)
                throw new AssertionError("session " + n % KEPT + " is neither there nor can it be inserted");
            if (n % ACKNOWLEDGE_EVERY == 0) {
                out.println(n);
                out.flush();
            }
        }
    }

    private static void churn(SessionTable table) {
        SessionKey key = new SessionKey();
        SessionRecord session = Sessions.session(2, 100);
        for (int i = 0;; i = (i + 1) % CHURNED) {
            Sessions.setKey(key, KEPT + i);
            if (!table.remove(key)) table.insert(key, session);
        }
    }
}
