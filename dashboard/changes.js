/**
 * Sends changes and says how they ended, for eyes and for screen readers alike. Only an answer that says so means that
 * nothing was done: behind a connection that broke, or an answer that got lost, the change may be in force.
 */
import { getJson, postJson, Refused } from './api.js';
import { byId, setText } from './dom.js';

/** @typedef {import('./confirm.js').Who} Who */

const shownMs = 12_000;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** @param {string} text */
export const say = (text) => {
  setText(byId('said'), text);
  clearTimeout(timer);
  timer = setTimeout(() => setText(byId('said'), ''), shownMs);
};

/** @param {unknown} error */
const why = (error) => (error instanceof Error ? error.message : String(error));
/** @param {{ audited?: boolean }} answer */
const unaudited = ({ audited }) => (audited === false ? ' The audit log could not be written.' : '');

/** @param {unknown} error */
const changedNothing = (error) => error instanceof Refused && error.changedNothing;

/** @param {string} slug @param {{ setting: string, value: string | boolean } & Who} body @returns {Promise<boolean>} */
export const setKnob = async (slug, body) => {
  try {
    const answer = await postJson(`/api/routes/${slug}/set`, body);
    say(`${slug}: ${body.setting} is ${answer.value}.${unaudited(answer)}`);
    return true;
  } catch (error) {
    const end = changedNothing(error) ? 'is unchanged' : 'may have been set: look before setting it again';
    say(`${slug}: ${body.setting} ${end}. ${why(error)}`);
    return false;
  }
};

/** @param {number} ms */
const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** A leader is elected within a lease's time after the last one died; what takes longer is seen in the page. */
const followMs = 60_000;

/** @typedef {{ id: string, state: string, message: string }} Answer */
/** The next request may have been answered since. @param {(Answer & { earlier?: Answer[] }) | null} standing @param {string} id */
const answerTo = (standing, id) =>
  standing?.id === id ? standing : standing?.earlier?.find((answer) => answer.id === id);

/** @param {string} slug @param {string} id @param {string} action */
const followAnswer = async (slug, id, action) => {
  const underWay = 'is still under way.';
  let end = underWay;
  for (let waitedMs = 0; waitedMs < followMs; waitedMs += 500) {
    await delay(500);
    try {
      const { result } = await getJson(`/api/routes/${slug}/ask`);
      const answer = answerTo(result, id);
      if (answer !== undefined && answer.state !== 'running')
        return say(`${slug}: ${action} ${answer.state}. ${answer.message}`);
      end = underWay;
    } catch (error) {
      end = `was asked, and how it ended cannot be read: ${why(error)}`;
    }
  }
  say(`${slug}: ${action} ${end}`);
};

/** @param {string} slug @param {{ action: string, phase?: string } & Who} body */
export const askLeader = async (slug, body) => {
  let answer;
  try {
    answer = await postJson(`/api/routes/${slug}/ask`, body);
  } catch (error) {
    const end = changedNothing(error) ? 'was not taken' : 'may have been asked: look before asking again';
    return say(`${slug}: ${body.action} ${end}. ${why(error)}`);
  }
  say(`${slug}: ${body.action} asked, waiting for the leader.${unaudited(answer)}`);
  await followAnswer(slug, answer.id, body.action);
};
