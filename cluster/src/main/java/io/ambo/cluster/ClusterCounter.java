package io.ambo.cluster;

import io.ambo.cluster.metrics.CounterName;
import java.util.Locale;

/** What the cluster counts. */
public enum ClusterCounter implements CounterName {
    // @formatter:off
    DELTAS_PUBLISHED("deltas that workers handed to the replicator"),
    DELTAS_COALESCED("deltas left out because a later one of the same session went in the same batch"),
    DELTAS_SENT("deltas sent to the peers"),
    BATCHES_SENT("messages of deltas sent to the peers"),
    DELTA_RING_FULL("deltas that found the worker's ring full; their sessions are sent when there is room"),
    DELTAS_RECEIVED("deltas received and merged"),
    BATCHES_RECEIVED("messages of deltas received"),
    MERGES_INSERTED("sessions that became known here by a delta"),
    MERGES_ADVANCED("sessions that a delta moved on"),
    MERGES_UNCHANGED("deltas that said nothing new"),
    MERGES_REPLACED("sessions whose other incarnation won over the one here"),
    MERGES_LOST("deltas of an incarnation that lost to the one here"),
    MERGES_FULL("deltas that found the table full"),
    WINNERS_SENT_BACK("records sent to a peer that had a losing incarnation, or took another member for the owner"),
    ACKS_SENT("acknowledgements sent for deferred packets"),
    ACKS_RECEIVED("acknowledgements received for deferred packets"),
    BATCH_GAPS("times that batches of a peer were lost for good; the tables are compared"),
    MESSAGES_MALFORMED("messages refused: truncated, corrupt or out of bounds"),
    MESSAGES_OTHER_VERSION("messages refused: another protocol version"),
    MESSAGES_NOT_FROM_MEMBER("messages refused: the sender is no member or claims another's id"),
    PACKETS_UNAUTHENTIC("sync packets refused: not made with this cluster's key, or changed on the way"),
    PACKETS_REPLAYED("sync packets refused: seen before, or of an earlier life of their sender"),
    PACKETS_UNPROVEN("sync packets left out because their sender had not yet proved to be live"),
    SEND_FAILED("messages that the transport refused"),
    BUCKETS_MARKED_DIRTY("buckets marked because sessions of theirs are to be sent again"),
    BUCKETS_REPAIRED("dirty buckets whose sessions were looked through for what is to be sent again"),
    RESYNC_ROUNDS("rounds of comparing tables with a peer"),
    RESYNC_RECORDS_SENT("records sent while comparing tables"),
    RESYNC_RECORDS_RECEIVED("records received while comparing tables"),
    RESYNC_ABANDONED("comparisons given up: the peer left or did not answer"),
    ASKS_SENT("questions sent to peers"),
    ASKS_ANSWERED("questions of peers answered"),
    ASKS_REFUSED("questions or answers refused: too many at once, or too long"),
    VIEWS("changes of membership"),
    LISTENER_FAILED("exceptions that the appliance threw at the cluster; a bug"),
    MERGES_OUTLIVED("sessions that go on in a new epoch: a peer had closed them on stale knowledge, or had a copy that was never answered"),
    STATES_SENT("states of this node sent to a peer"),
    STATES_RECEIVED("states that peers have told"),
    HOSTS_LOST("peers whose host stopped answering on the sync link"),
    SESSIONS_TAKEN_OVER("sessions whose owner left the view and whose backup was this node, which is their owner now"),
    SESSIONS_REHOMED("redirect mode: records sent to members that are to have them since the membership changed"),
    COPIES_FORGOTTEN("redirect mode: copies of sessions given up that others have by now"),
    BATCHES_OUT_OF_ORDER("batches that came before an earlier one: that one was lost on the sync link and is sent again");
    // @formatter:on

    private final String help;

    ClusterCounter(String help) { this.help = help; }

    @Override
    public String label() { return name().toLowerCase(Locale.ROOT); }

    @Override
    public String help() { return help; }
}
