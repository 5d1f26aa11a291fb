/** Sends changes and says how they ended, for eyes and for screen readers alike. */
import { getJson, postJson } from './api.js';
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

/** @param {string} slug @param {{ setting: string, value: string | boolean } & Who} body @returns {Promise<boolean>} */
export const setKnob = async (slug, body) => {
  try {
    const answer = await postJson(`/api/routes/${slug}/set`, body);
    say(`${slug}: ${body.setting} is ${answer.value}.${unaudited(answer)}`);
    return true;
  } catch (error) {
    say(`${slug}: ${body.setting} is unchanged. ${why(error)}`);
    return false;
  }
};

/** @param {number} ms */
const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** A leader is elected within a lease's time after the last one died; what takes longer is seen in the page. */
const followMs = 60_000;

/** @param {string} slug @param {string} id @param {string} action */
const followAnswer = async (slug, id, action) => {
  for (let waitedMs = 0; waitedMs < followMs; waitedMs += 500) {
    await delay(500);
    const { result } = await getJson(`/api/routes/${slug}/ask`);
    if (result?.id !== id || result.state === 'running') continue;
    say(`${slug}: ${action} ${result.state}. ${result.message}`);
    return;
  }
  say(`${slug}: ${action} is still under way.`);
};

/** @param {string} slug @param {{ action: string, phase?: string } & Who} body */
export const askLeader = async (slug, body) => {
  try {
    const answer = await postJson(`/api/routes/${slug}/ask`, body);
    say(`${slug}: ${body.action} asked, waiting for the leader.${unaudited(answer)}`);
    await followAnswer(slug, answer.id, body.action);
  } catch (error) {
    say(`${slug}: ${body.action} was not taken. ${why(error)}`);
  }
};
