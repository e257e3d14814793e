package io.ambo.node.datapath;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import java.lang.foreign.MemorySegment;

/**
 * Redirect mode, as one worker sees it: whose a session is, whom to ask about a stray, and the way to them. Allocates nothing, never waits.
 *
 * <p>A packet's ends are those that it came with; a hash is that of their {@link SessionKey}. Members are node ids; 0 is none.
 */
public interface Redirection {
    /** Sync mode: every session is every node's. */
    Redirection NONE = new Redirection() {
        @Override
        public boolean isOn() { return false; }

        @Override
        public int local() { return 0; }

        @Override
        public int owner(SessionKey key, SessionRecord session) { return 0; }

        @Override
        public int director(long endsHash) { return 0; }

        @Override
        public int nextDirector(long endsHash, int ingress) { return 0; }

        @Override
        public int learnt(SessionKey ends) { return 0; }

        @Override
        public void learn(SessionKey ends, int owner) {}

        @Override
        public void unlearn(SessionKey ends) {}

        @Override
        public boolean send(int member, int zone, int ingress, int hops, MemorySegment memory, long ip, int length) { return false; }

        @Override
        public void tell(int ingress, SessionKey ends, boolean isOwner) {}
    };

    boolean isOn();

    int local();

    /** The member that answers for a session: the recorded owner, or when that is gone its backup. */
    int owner(SessionKey key, SessionRecord session);

    /** The member that has the session of such packets, or knows who has it; perhaps this one. */
    int director(long endsHash);

    /**
     * Whom to ask when this node was asked and does not know: the delta is late, or sessions are on their way to where they belong since the membership has changed.
     * Asked one after the other, all members are; so the owner is found, however late its delta is.
     *
     * @param ingress the member that the packet came in at
     * @return 0 when all have been asked
     */
    int nextDirector(long endsHash, int ingress);

    /** The owner that has told this node of itself; 0 when none has, or it is gone. */
    int learnt(SessionKey ends);

    /** Packets with these ends are this member's: the kernel hands the next ones over by itself. */
    void learn(SessionKey ends, int owner);

    /** The session of these ends is this node's. */
    void unlearn(SessionKey ends);

    /**
     * Hands a packet over.
     *
     * @param ingress the member that it came in at
     * @param hops    see {@link io.ambo.node.redirect.Geneve}
     * @param ip      offset of its IP header
     */
    boolean send(int member, int zone, int ingress, int hops, MemorySegment memory, long ip, int length);

    /** Tells the member where a packet came in that such packets are this node's, or that it knows nothing of them. At a bounded rate; may be lost. */
    void tell(int ingress, SessionKey ends, boolean isOwner);
}
