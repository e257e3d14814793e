package io.ambo.node.control;

import io.ambo.cluster.EventLog;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.proto.control.Addresses;
import io.ambo.proto.control.Counter;
import io.ambo.proto.control.Drain;
import io.ambo.proto.control.DrainRequest;
import io.ambo.proto.control.Members;
import io.ambo.proto.control.NodeStatus;
import io.ambo.proto.control.Reload;
import io.ambo.proto.control.Restart;
import io.ambo.proto.control.Version;
import java.util.BitSet;
import java.util.List;

/** What a node can say of itself, and the few things it can be told to do. Called on the control threads, several at once; a call may take milliseconds. */
public interface ControlTarget {
    String nodeName();

    NodeStatus status();

    Members members();

    Version version();

    /** Every counter of every catalogue, zeros included. */
    List<Counter> counters();

    /** What happened in the cluster. */
    EventLog events();

    /** Read in slices while packets run. */
    SessionTable sessions();

    /** Sends all sessions of these buckets to every peer, soon. */
    void resend(BitSet buckets);

    /** Now, on the clock of the records' last-seen times. */
    long monotonicMs();

    /** The name of a rule of the running config, or a text that says that it is gone (rule#12345). */
    String ruleName(int id);

    /** The same for a zone. */
    String zoneName(int id);

    /** The same for a node. */
    String memberName(int id);

    /** "yes" when the kernel forwards the session's packets on this node, else why it does not. */
    String fastPath(SessionKey key, SessionRecord session);

    /** Redirect mode: the member that takes the session over when its owner is gone; "" when there is none, or every node has it. */
    default String backup(SessionKey key, SessionRecord session) {
        return "";
    }

    /** Redirect mode: the member that this node's kernel hands packets of the session to; "" when it does not. */
    default String redirectedTo(SessionKey key) {
        return "";
    }

    /** Reads the config file again and puts it into force, or says what keeps it from that. A dry run changes nothing. */
    Reload reload(boolean dryRun);

    /** Floating addresses and peers. */
    Addresses addresses();

    /** Begins or ends a drain, if asked to, and says how far it is. */
    Drain drain(DrainRequest request);

    /** Ends the process a moment later; established flows stay in the kernel for the next one. */
    Restart restart();
}
