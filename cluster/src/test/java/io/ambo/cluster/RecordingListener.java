package io.ambo.cluster;

import io.ambo.cluster.membership.View;
import io.ambo.cluster.session.SessionKey;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;

/** Remembers what the cluster told. */
public class RecordingListener implements ClusterListener {
    public final AtomicLong applied = new AtomicLong();
    public final AtomicLong lastAppliedNs = new AtomicLong();
    public final Queue<Long> acknowledged = new ConcurrentLinkedQueue<>();
    public final List<View> views = new CopyOnWriteArrayList<>();
    public final List<GateState> gates = new CopyOnWriteArrayList<>();
    public final AtomicLong viewAtNs = new AtomicLong();
    public volatile boolean awaits = true;

    @Override
    public boolean awaitsDeltas() { return awaits; }

    @Override
    public void onDeltaApplied(SessionKey key) {
        lastAppliedNs.set(System.nanoTime());
        applied.incrementAndGet();
    }

    @Override
    public void onAcknowledged(int worker, long ticket) { acknowledged.add(ticket); }

    @Override
    public void onView(View view) {
        viewAtNs.set(System.nanoTime());
        views.add(view);
    }

    @Override
    public void onGate(GateState gate) { gates.add(gate); }
}
