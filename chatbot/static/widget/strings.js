/** Every word that the widget itself says. `element.strings = {...}` replaces some of them. */

import { span } from "../lib/time.js";

export const STRINGS = {
  launcher: "Chat with us",
  launcherUnread: "Chat with us, new messages",
  title: "Chat",
  close: "Close the chat window",
  log: "Conversation",
  botLabel: (name) => `${name} · AI assistant`,
  personLabel: (name, company) => `${name} · ${company} team`,
  you: "You",
  subtitleBot: "AI assistant",
  subtitleWaiting: "A person will join you here",
  subtitlePerson: (name) => (name ? `${name} from the team is here` : "A person from the team is here"),
  subtitleClosed: "This chat has ended",
  connecting: "Connecting …",
  reconnecting: "Connection lost. Trying again …",
  placeholder: "Write a message",
  send: "Send message",
  left: (n) => `${n} characters left`,
  over: (n) => `${n} characters too many`,
  sending: "Sending …",
  notSent: "Not sent",
  retry: "Try again",
  typing: (name) => `${name} is writing`,
  sources: "Sources",
  source: (number, title) => `Source ${number}: ${title} (opens in a new tab)`,
  talkToPerson: "Talk to a person",
  personAsked: "We are asking the team.",
  end: "End chat",
  endQuestion: "End this chat? You can start a new one at any time.",
  endYes: "End chat",
  endNo: "Keep chatting",
  ended: "This chat has ended.",
  startNew: "Start a new chat",
  heldTitle: "A person is checking this answer",
  heldTitleLater: "A person will check this answer",
  heldElapsed: (time) => `Waiting for ${time}`,
  heldExpected: (seconds) => `Usually about ${span(seconds)}`,
  heldLeave: "You may close this window and come back: the answer will be here.",
  heldOverdue: "This is taking longer than usual. Your question is still in the queue.",
  handoverTitle: "Handed to our team",
  urgentTitle: "Urgently handed to our team",
  offDuty: "Nobody is at the desk right now.",
  contactTitle: "Leave your contact details",
  contactIntro: "We will get back to you as soon as somebody is here.",
  contactName: "Name (optional)",
  contactEmail: "E-mail address",
  contactNote: "Anything to add? (optional)",
  contactSend: "Send details",
  contactNeedsEmail: "Please enter your e-mail address so that we can reply.",
  contactBadEmail: "This does not look like an e-mail address. Example: name@example.com",
  contactDone: (email) => `Thank you. We will write to ${email}.`,
  privacy: "Privacy",
  helpful: "This answer helped",
  notHelpful: "This answer did not help",
  thanksUp: "Thank you.",
  commentLabel: "What was missing or wrong? (optional)",
  commentSend: "Send comment",
  commentSkip: "Skip",
  commentThanks: "Thank you. Your comment reaches the team.",
  expired: "Your earlier chat had expired, so we started a new one. What was said before stays visible above.",
  otherTab: "A new chat was started in another tab.",
  errorNetwork: "We could not reach the server. Please check your connection.",
  errorBusy: (s) => (s ? `Too many messages at the moment. Please try again in ${span(s)}.`
    : "Too many messages at the moment. Please try again shortly."),
  errorServer: "Something went wrong on our side. Please try again.",
  errorTooLong: "This message is too long. Please shorten it.",
  errorKey: "The chat is not available on this page right now.",
  errorOther: "This did not work. Please try again.",
};

/** An HttpError in plain words. The server's own wording stays out: it is for developers. */
export function describe(error, strings) {
  if (error.status === 0) return strings.errorNetwork;
  if (error.status === 429) return strings.errorBusy(error.retryAfter);
  if (error.status === 413) return strings.errorTooLong;
  if (error.status >= 500) return strings.errorServer;
  if (error.status === 401 || error.status === 403) return strings.errorKey;
  return strings.errorOther;
}
