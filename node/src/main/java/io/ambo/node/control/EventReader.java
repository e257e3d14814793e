package io.ambo.node.control;

import io.ambo.cluster.EventLog;
import io.ambo.proto.control.Event;
import io.ambo.proto.control.EventPosition;
import io.ambo.proto.control.Events;
import io.ambo.proto.control.EventsRequest;

/** A node's event log as the control API tells it. */
final class EventReader {
    private static final int USUAL = 100;
    /** So that an answer fits into a message between nodes. */
    private static final int MOST = 200;

    private EventReader() {}

    static Events read(String node, EventLog log, EventsRequest request) {
        int most = request.getLimit() == 0 ? USUAL : (int) Math.min(MOST, Integer.toUnsignedLong(request.getLimit()));
        EventLog.Page page = request.getPositionsList().stream().filter(position -> position.getNode().equals(node)).findFirst()
                .map(position -> log.after(position.getRun(), position.getNumber(), most)).orElseGet(() -> log.newest(most));
        Events.Builder events = Events.newBuilder().setMissed(page.missed())
                .setNext(EventPosition.newBuilder().setNode(node).setRun(page.run()).setNumber(page.next()));
        for (EventLog.Event each : page.events())
            events.addEvents(Event.newBuilder().setNumber(each.number()).setWallMs(each.wallMs()).setAgeMs(each.ageMs())
                    .setKind(each.kind().label()).setText(each.text()).setTimes(each.times()));
        return events.build();
    }
}
