package io.ambo.node.control;

import com.google.protobuf.InvalidProtocolBufferException;
import io.ambo.proto.control.Counters;
import io.ambo.proto.control.Drain;
import io.ambo.proto.control.DrainRequest;
import io.ambo.proto.control.Failure;
import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.Request;
import io.ambo.proto.control.Response;
import java.util.Locale;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/** What this node answers for itself, to its own control socket and to its peers. Stateless; any thread. */
public final class LocalAnswers {
    private static final Logger LOG = LogManager.getLogger();

    private final ControlTarget target;

    public LocalAnswers(ControlTarget target) { this.target = target; }

    /** A peer's question. Never throws: whatever cannot be answered is answered with an error. Changes are not taken from peers. */
    public byte[] answer(byte[] request) {
        Request parsed;
        try {
            parsed = Request.parseFrom(request);
        } catch (InvalidProtocolBufferException e) {
            return Response.newBuilder().setError(failure(Failure.Code.BAD_REQUEST, "not a request", "")).build().toByteArray();
        }
        NodeAnswer answer = isChange(parsed)
                ? NodeAnswer.newBuilder().setNode(nodeName())
                        .setError(failure(Failure.Code.REFUSED, "a node is changed through its own control socket only",
                                "run ambo on that node"))
                        .build()
                : answer(parsed);
        return Response.newBuilder().setId(parsed.getId()).addNodes(answer).build().toByteArray();
    }

    /** Concerns the asked node alone, and is done only for those who may use its socket. */
    static boolean isChange(Request request) {
        return request.hasReload() || request.hasRestart();
    }

    String nodeName() { return target.nodeName(); }

    NodeAnswer answer(Request request) {
        NodeAnswer.Builder answer = NodeAnswer.newBuilder().setNode(nodeName());
        try {
            fill(answer, request);
        } catch (BadRequestException e) {
            answer.setError(failure(Failure.Code.BAD_REQUEST, String.valueOf(e.getMessage()), ""));
        } catch (RuntimeException e) {
            LOG.error("control request {} failed", request.getCommandCase(), e);
            answer.setError(failure(Failure.Code.INTERNAL, "the node failed to answer: " + e, "its log has more"));
        }
        return answer.build();
    }

    private void fill(NodeAnswer.Builder answer, Request request) throws BadRequestException {
        switch (request.getCommandCase()) {
            case STATUS -> answer.setStatus(target.status());
            case MEMBERS -> answer.setMembers(target.members());
            case VERSION -> answer.setVersion(target.version());
            case COUNTERS -> answer.setCounters(counters(request.getCounters().getContains()));
            case RELOAD -> answer.setReload(target.reload(request.getReload().getDryRun()));
            case VERIFY_DIGEST -> answer.setVerifyDigest(new VerifyReader(target).digest());
            case VERIFY_RECORDS -> answer.setVerifyRecords(new VerifyReader(target).records(request.getVerifyRecords()));
            case VERIFY_LOOKUP -> answer.setVerifyLookup(new VerifyReader(target).lookup(request.getVerifyLookup()));
            case VERIFY_REPAIR -> answer.setVerifyRepair(new VerifyReader(target).repair(request.getVerifyRepair()));
            case EVENTS -> answer.setEvents(EventReader.read(nodeName(), target.events(), request.getEvents()));
            case RESTART -> answer.setRestart(target.restart());
            case ADDRESSES -> answer.setAddresses(target.addresses());
            case DRAIN -> answer.setDrain(drain(request.getDrain()));
            case SESSION_LIST -> answer.setSessionPage(new SessionReader(target).page(request.getSessionList()));
            case SESSION_SHOW -> answer.setSessionShow(new SessionReader(target).show(request.getSessionShow().getEnds()));
            case SESSION_COUNT -> answer.setSessionCount(new SessionReader(target).count(request.getSessionCount().getFilter()));
            case SESSION_LOOKUP -> answer.setSessionLookup(new SessionReader(target).lookup(request.getSessionLookup()));
            case COMMAND_NOT_SET -> throw new BadRequestException("unknown request: this node runs " + target.version().getVersion());
        }
    }

    /** A drain is the cluster's business: whoever may use the socket of one member may drain another. */
    private Drain drain(DrainRequest request) throws BadRequestException {
        if (request.getBegin() && request.getEnd()) throw new BadRequestException("a drain cannot begin and end at once");
        return target.drain(request);
    }

    private Counters counters(String contains) {
        String wanted = contains.toLowerCase(Locale.ROOT);
        Counters.Builder counters = Counters.newBuilder();
        target.counters().stream().filter(counter -> counter.getName().contains(wanted) || counter.getGroup().contains(wanted))
                .forEach(counters::addCounters);
        return counters.build();
    }

    static Failure failure(Failure.Code code, String message, String remedy) {
        return Failure.newBuilder().setCode(code).setMessage(message).setRemedy(remedy).build();
    }
}
